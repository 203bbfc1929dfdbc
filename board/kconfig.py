#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the Kconfig files into a configuration and a C header.

kconfig.py --config FILE --header FILE [--defconfig FILE] [--menu] [--random SEED]

The header names every option, also those that are off: a bool is 0 or 1. Code can then test options in a plain `if`,
and a misspelt name does not compile. The configuration holds only what differs from the defaults, so that a better
default reaches those who never chose. The board is taken from the environment (BOARD).

A configuration that names an option that is none, or gives one a value that it may not have, is refused and left as it
is: to go on with the default would be to build something else than what was asked for."""
import argparse
import os
import random
import sys

import kconfiglib


def header_text(config):
    lines = ["/* Generated from the Kconfig files by board/kconfig.py. */",
             "#ifndef GENERATED_KCONFIG_H", "#define GENERATED_KCONFIG_H"]
    for symbol in config.unique_defined_syms:
        value = symbol.str_value
        if symbol.orig_type in (kconfiglib.BOOL, kconfiglib.TRISTATE):
            value = "0" if value == "n" else "1"
        elif symbol.orig_type == kconfiglib.STRING:
            value = '"' + kconfiglib.escape(value) + '"'
        elif symbol.orig_type == kconfiglib.HEX:
            value = hex(int(value or "0", 16)) + "u"
        lines.append(f"#define CONFIG_{symbol.name} {value or 0}")
    return "\n".join(lines + ["#endif", ""])


def warnings(config):
    """All there are: a value outside its range is found only when somebody asks for it."""
    for symbol in config.unique_defined_syms:
        _ = symbol.str_value
    return config.warnings


def write_if_changed(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def bounds(symbol):
    """Of an int that has a range: as Kconfig limits it in this configuration."""
    return next(((int(low.str_value), int(high.str_value)) for low, high, condition in symbol.ranges
                 if kconfiglib.expr_value(condition)), None)


def randomise(config, seed):
    """Sets whatever has a prompt by dice, a number often to one of its ends: any combination must build."""
    dice = random.Random(seed)
    for symbol in config.unique_defined_syms:
        if not any(node.prompt for node in symbol.nodes):
            continue
        if symbol.orig_type == kconfiglib.BOOL:
            symbol.set_value(dice.choice(("n", "y")))
        elif symbol.orig_type == kconfiglib.INT and bounds(symbol):
            low, high = bounds(symbol)
            symbol.set_value(str(dice.choice((low, high, dice.randint(low, high)))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--header", required=True)
    parser.add_argument("--defconfig")
    parser.add_argument("--menu", action="store_true")
    parser.add_argument("--random", type=int)
    options = parser.parse_args()

    if options.menu and not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("kconfig: the menu needs a terminal; without one, write options into " + options.config, file=sys.stderr)
        return 1
    config = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
    config.warn_assign_undef = True
    if options.defconfig:
        config.load_config(options.defconfig)
    elif os.path.exists(options.config):
        config.load_config(options.config)
    if options.random is not None:
        randomise(config, options.random)
    complaints = warnings(config)
    for complaint in complaints:
        print("kconfig: " + complaint, file=sys.stderr)
    if complaints:
        print("kconfig: refused, nothing was written", file=sys.stderr)
        return 1
    os.makedirs(os.path.dirname(options.config) or ".", exist_ok=True)
    if options.menu:
        import menuconfig
        os.environ["KCONFIG_CONFIG"] = options.config
        config.write_config(options.config)
        menuconfig.menuconfig(config)
        config.load_config(options.config)
    config.write_min_config(options.config)
    write_if_changed(options.header, header_text(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
