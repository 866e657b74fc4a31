"""check_docs.py FERRY SOURCE: the pages against the program and the sources.

1. A fenced block that starts with `$ ferry ...` or `$ ./dev demo` shows exactly what that prints.
2. A line of a ```cpp block in docs/adding-an-operator.md stands in one of the files that the page names.
3. A relative link leads to a file.
"""

import pathlib
import re
import subprocess
import sys

ferry, source = sys.argv[1], pathlib.Path(sys.argv[2])
pages = [source / "README.md", *sorted(source.rglob("docs/*.md"))]
failures, commands, links = [], 0, 0


def normal(text):
    return re.sub(r"\b\d+ cores", "N cores", text).rstrip()


for page in pages:
    text = page.read_text()
    for block in re.findall(r"^```\n\$ (.*?)^```$", text, re.M | re.S):
        command, _, shown = block.partition("\n")
        words = command.replace("./dev demo", "ferry demo").split()
        words[0] = ferry
        result = subprocess.run(words, cwd=source, capture_output=True, text=True)
        commands += 1
        if normal(result.stdout) != normal(shown):
            failures.append(f"{page.name}: `{command}` prints\n{result.stdout}")
    for link in re.findall(r"\[[^\]]+\]\(([^)#:]+)\)", text):
        links += 1
        if not (page.parent / link).exists():
            failures.append(f"{page.name}: the link {link} leads nowhere")

guide = (source / "docs/adding-an-operator.md").read_text()
named = re.findall(r"`((?:importer|graph|kernels|tests)/[\w/.]+\.(?:cc|cu|h))`", guide)
sources = "\n".join((source / name).read_text() for name in named)
for block in re.findall(r"^```cpp\n(.*?)^```$", guide, re.M | re.S):
    for line in block.splitlines():
        if line.strip() and line.strip() not in sources:
            failures.append(f"adding-an-operator.md: no file has the line: {line.strip()}")

for failure in failures:
    print(failure)
print(f"{commands} commands, {links} links, {len(named)} sources: {len(failures)} failures")
sys.exit(bool(failures))
