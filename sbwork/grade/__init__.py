"""How strong the evidence is, what leads, and what may be shown."""
