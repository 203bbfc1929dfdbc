#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names the files of kernel modules with all that they need, in the order in which they are loaded.

modules.py TREE NAMES [--without NAMES]    TREE: lib/modules/<release> after depmod; NAMES: comma separated

A module that the kernel has built in has no file and is left out; one that is neither there nor built in is refused.
--without: modules that are loaded before, with all that those need.
"""
import argparse
from pathlib import Path, PurePosixPath


def plain(name):
    return name.replace("-", "_")


def stem(path):
    return plain(PurePosixPath(path).name.removesuffix(".ko"))


class Tree:
    def __init__(self, root):
        self.needs, self.path = {}, {}
        for line in Path(root, "modules.dep").read_text(encoding="ascii").splitlines():
            path, needs = line.split(":")
            self.path[stem(path)] = path
            # modprobe's own order: what stands last is needed first.
            self.needs[stem(path)] = [stem(one) for one in reversed(needs.split())]
        self.built_in = {stem(line) for line in Path(root, "modules.builtin").read_text(encoding="ascii").splitlines()}

    def order(self, names):
        chosen = []
        for name in (plain(name) for name in names.split(",") if name):
            if name in self.built_in:
                continue
            if name not in self.path:
                raise SystemExit(f"modules.py: this kernel has no module {name}")
            for one in [*self.needs[name], name]:
                if one not in chosen:
                    chosen.append(one)
        return chosen


def main():
    ask = argparse.ArgumentParser(description="Names the files of kernel modules in the order of loading.")
    ask.add_argument("tree")
    ask.add_argument("names")
    ask.add_argument("--without", default="")
    given = ask.parse_args()
    tree = Tree(given.tree)
    there = tree.order(given.without)
    for name in tree.order(given.names):
        if name not in there:
            print(tree.path[name])


if __name__ == "__main__":
    main()
