"""Where media comes from. Each kind of source is one module; ``open`` runs in a reader thread."""
