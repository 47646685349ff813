"""Run sbwork as ``python -m sbwork``."""

from sbwork.cli import main

if __name__ == "__main__":
    main()
