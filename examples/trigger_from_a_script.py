"""Start filewatcher from a script and act on every result at once: python trigger_from_a_script.py MASTER."""

import json
import subprocess
import sys

ENOUGH_SPOTS = 15


def main(master: str, *options: str) -> int:
    """Read the JSON lines as they come; returns the exit code of filewatcher."""
    command = [sys.executable, "-m", "filewatcher", "watch", master, "--json", "--quiet", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        for line in watcher.stdout:
            found = json.loads(line)
            if found["type"] == "summary":
                print(f"{found['done']} of {found['expected']} frames analysed")
            elif found["type"] == "centring":
                if found["final"]:
                    print(f"the crystal is at {found['centring'].get('centre_of_mass')}, in cells")
            elif found["state"] != "done":
                print(f"image {found['file-number']} is {found['state']}: {found['error']}")
            elif found["n_spots_total"] >= ENOUGH_SPOTS:
                print(f"image {found['file-number']} diffracts: {found['n_spots_total']} spots")
    return watcher.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
