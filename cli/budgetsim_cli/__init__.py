"""The command line: read, ask the library, print. Light to import: each command loads what it needs."""
