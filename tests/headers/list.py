"""Prints the headers below ROOT/FOLDER, relative to ROOT, a line each."""
import pathlib
import sys

root = pathlib.Path(sys.argv[1])
for path in sorted((root / sys.argv[2]).rglob("*.h")):
    print(path.relative_to(root))
