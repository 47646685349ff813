"""One small module a survey platform: bytes in, one raw table of text out."""

from sbwork.readers.detection import FORMATS, read_table
from sbwork.readers.tables import RawTable

__all__ = ["FORMATS", "RawTable", "read_table"]
