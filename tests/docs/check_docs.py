"""check_docs.py FERRY SOURCE [--update]: the pages against the program and the sources.

1. A fenced block that starts with `$ ferry ...` or `$ ./dev demo` shows exactly what that prints.
2. A line of a ```cpp block in docs/adding-an-operator.md stands in one of the files that the page names.
3. A relative link leads to a file, and one of the form [Suite.Test](file.cc) to a test in it.
4. docs/report.md has what each reason code means, in the words of the program.

--update writes into the pages what the commands of 1 print now.
"""

import pathlib
import re
import subprocess
import sys

ferry, source, update = sys.argv[1], pathlib.Path(sys.argv[2]), "--update" in sys.argv
pages = [source / "README.md", *sorted(source.rglob("docs/*.md"))]
failures, commands, links = [], 0, 0


def normal(text):
    # What depends on the number of cores.
    text = re.sub(r"\b\d+ cores", "N cores", text)
    return re.sub(r"\S+ \S+ +\S+x  every node on cpu", "every node on cpu", text).rstrip()


for page in pages:
    text = page.read_text()
    for block in re.findall(r"^```\n\$ (.*?)^```$", text, re.M | re.S):
        command, _, shown = block.partition("\n")
        words = command.replace("./dev demo", "ferry demo").split()
        words[0] = ferry
        result = subprocess.run(words, cwd=source, capture_output=True, text=True)
        commands += 1
        if normal(result.stdout) == normal(shown):
            continue
        if update:
            text = text.replace(f"$ {command}\n{shown}```", f"$ {command}\n{result.stdout}```")
            page.write_text(text)
        else:
            failures.append(f"{page.name}: `{command}` prints\n{result.stdout}")
    for suite, test, link in re.findall(r"\[([A-Z]\w+)\.([A-Z]\w+)\]\(([^)#:]+\.cc)\)", text):
        target = page.parent / link
        if target.exists() and f"({suite}, {test})" not in target.read_text():
            failures.append(f"{page.name}: {link} has no test {suite}.{test}")
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

words = " ".join((source / "docs/report.md").read_text().split())
reasons = (source / "placement/report/reasons.cc").read_text()
reasons = reasons[: reasons.index("copy_kinds()")]
for code, sentences in re.findall(r'\{"(\w+)",\s+((?:"[^"]*"[\s,]*)+)\}', reasons):
    for sentence in re.split(r'",\s+"', sentences.strip().strip('"')):
        sentence = re.sub(r'"\s+"', "", sentence)
        if f"### {code}" not in words or sentence not in words:
            failures.append(f"report.md does not say of {code}: {sentence}")

for failure in failures:
    print(failure)
print(f"{commands} commands, {links} links, {len(named)} sources: {len(failures)} failures")
sys.exit(bool(failures))
