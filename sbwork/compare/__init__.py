"""Sites compared: with themselves, their controls, and places where nothing was done."""
