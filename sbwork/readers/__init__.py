"""One small module a survey platform: bytes in, one raw table of text out."""
