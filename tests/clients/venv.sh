# For sh scripts to source: `venv <directory> <requirements>` creates <directory>/venv with the requirements, again
# whenever they have changed.

venv() {
    wanted=$(sha256sum "$2" | cut -d ' ' -f 1)
    if [ "$(cat "$1/installed" 2> /dev/null)" != "$wanted" ]; then
        echo "clients: installing the tools for $(basename "$(dirname "$2")")"
        rm -rf "$1"
        mkdir -p "$1"
        python3 -m venv "$1/venv"
        "$1/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$2"
        echo "$wanted" > "$1/installed"
    fi
}
