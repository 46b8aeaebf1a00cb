"""Compares what the program is built from with what a container's build gets to see.

    python context.py PROGRAM.d

`infra/test` calls it. `infra/container/test` puts a program that was built elsewhere into the image, so the Dockerfile's own stage that compiles
it runs nowhere in the tests. What fails there is a file that `Dockerfile.dockerignore` leaves out: so everything that
cargo has read for the program (it writes that beside it) must be let through, and cargo must find every manifest in a
copy of what is let through.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IGNORE = ROOT / "infra/Dockerfile.dockerignore"
# By which the folder is found in which the program was built.
LANDMARK = "/detector/cli/src/main.rs"


def patterns():
    """The lines of the file, in order: whether each lets through, and what it matches, folders with all that is in them."""
    read = []
    for line in IGNORE.read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = re.escape(line.lstrip("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            read.append((line.startswith("!"), re.compile(f"{pattern}(?:/.*)?")))
    return read


def is_let_through(path, read):
    """As Docker decides: the last line that matches counts."""
    verdict = True
    for lets_through, pattern in read:
        if pattern.fullmatch(path):
            verdict = lets_through
    return verdict


def read_for(dependencies):
    """Every file and folder of the repository that cargo has read for the program."""
    paths = dependencies.read_text().replace("\\ ", "\0").split()
    paths = [os.path.normpath(path.replace("\0", " ")) for path in paths]
    root = next((path.removesuffix(LANDMARK) for path in paths if path.endswith(LANDMARK)), None)
    assert root, f"{dependencies} does not name {LANDMARK}"
    own = {os.path.relpath(path, root) for path in paths if path.startswith(f"{root}/")}
    # What was built on the way.
    return {path for path in own if not path.startswith("target/")}


def main():
    read = patterns()
    for path, expected in {"Cargo.lock": True, "detector/a/b": True, "infra/test": False, "detector/target/x": False}.items():
        assert is_let_through(path, read) == expected, f"{IGNORE.name} is not understood: {path}"
    needed = read_for(Path(sys.argv[1]))
    # A folder counts as its files do.
    missing = sorted(path for path in needed if not is_let_through(path, read))
    assert not missing, f"{IGNORE.name} leaves out what the program is built from: {missing}"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    files = [path for path in files if path and is_let_through(path, read) and (ROOT / path).is_file()]
    with tempfile.TemporaryDirectory() as copy:
        for path in files:
            (Path(copy) / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, Path(copy) / path)
        asked = ["cargo", "metadata", "--locked", "--format-version", "1"]
        found = subprocess.run(asked, cwd=copy, capture_output=True, text=True)
        assert found.returncode == 0, f"cargo does not understand what a container's build gets: {found.stderr}"
    print(f"all {len(needed)} files and folders that the program is built from are among the {len(files)} of the build's context")


if __name__ == "__main__":
    main()
