# SPDX-License-Identifier: GPL-3.0-or-later
#
# Holds C sources against tests/lint/rules.txt and against the measures of a file:
#   awk -f tests/lint/rules.awk -v tables=tests/lint file...
# tables is the folder of rules.txt, of reveal.txt (who may call secret_reveal) and of nothing else.
# Lengths: a file 600 lines, a function 60, a function 6 parameters. No #if inside a function.

function refuse(rule, why) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, rule, why
}

# The line without comments and, in bare[], without what stands in strings. Comments run on over lines.
function strip(line,    out, kind) {
    out = ""
    bare = ""
    while (line != "") {
        if (in_comment) {
            if (!match(line, /\*\//))
                return out
            line = substr(line, RSTART + 2)
            in_comment = 0
            out = out " "
            bare = bare " "
            continue
        }
        if (!match(line, /\/\*|\/\/|"|'/)) {
            out = out line
            bare = bare line
            return out
        }
        out = out substr(line, 1, RSTART - 1)
        bare = bare substr(line, 1, RSTART - 1)
        kind = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART)
        if (kind == "//")
            return out
        if (kind == "/*") {
            line = substr(line, 3)
            in_comment = 1
            continue
        }
        if (kind == "\"" ? match(line, /^"([^"\\]|\\.)*"/) : match(line, /^'([^'\\]|\\.)+'/)) {
            out = out substr(line, 1, RLENGTH)
            bare = bare kind kind
            line = substr(line, RLENGTH + 1)
        } else {
            out = out line
            bare = bare line
            return out
        }
    }
    return out
}

function trim(text) {
    gsub(/^[ \t]+|[ \t]+$/, "", text)
    return text
}

function words(pattern) {
    gsub(/\\</, "(^|[^A-Za-z0-9_.>])", pattern)
    gsub(/\\>/, "([^A-Za-z0-9_]|$)", pattern)
    return pattern
}

BEGIN {
    while ((getline line < (tables "/rules.txt")) > 0) {
        if (line ~ /^#/ || line ~ /^[ \t]*$/)
            continue
        split(line, part, / [|] /)
        n++
        name[n] = trim(part[1])
        with_strings[n] = sub(/\+$/, "", name[n])
        where[n] = trim(part[2])
        except[n] = trim(part[3])
        refused[n] = words(trim(part[4]))
        why[n] = trim(part[5])
    }
    while ((getline line < (tables "/reveal.txt")) > 0)
        if (line !~ /^#/ && split(line, part, " ") >= 3)
            may_reveal[part[1] " " part[2]] = 1
}

FNR == 1 {
    in_comment = 0
    in_function = 0
    prototype = ""
    caller = ""
    long = 0
}

FNR == 601 && FILENAME !~ /^tests\/data\// { refuse("file-length", "more than 600 lines") }

/TODO|FIXME|(^|[^X])XXX([^X]|$)/ && !/TODO[^A-Za-z]*#?[0-9]+/ { refuse("todo", "a TODO carries an issue number") }

{
    code = strip($0)
    for (i = 1; i <= n; i++) {
        if (FILENAME !~ where[i] || (except[i] != "-" && FILENAME ~ except[i]))
            continue
        text = with_strings[i] ? code : bare
        # Include names stand in no string, but quoted ones are layers.awk's.
        if (text ~ refused[i])
            refuse(name[i], why[i])
    }
}

# Prototypes and definitions begin in the first column; parameters are what lies between the outer parentheses.
prototype == "" && bare ~ /^[a-z][A-Za-z0-9_ *]*[ *][a-z_0-9]+\(/ && bare !~ /^(return|else|typedef)/ {
    prototype = bare
    caller = bare
    sub(/\(.*/, "", caller)
    sub(/.*[ *]/, "", caller)
}
prototype != "" && bare !~ /^[a-z].*\(/ { prototype = prototype bare }
prototype != "" && bare ~ /\)[^,]*$|[;{]$/ {
    list = prototype
    sub(/^[^(]*\(/, "", list)
    while (match(list, /\([^()]*\)/)) # a function pointer among the parameters
        list = substr(list, 1, RSTART - 1) substr(list, RSTART + RLENGTH)
    sub(/\).*/, "", list)
    # The type of a library's call-back is the library's, and of its function that is preloaded.
    if (gsub(/,/, "", list) > 5 && !(caller ~ /_callback$/ && FILENAME ~ /^(net\/tls|crypto\/wolf_|hal\/linux\/)/) &&
        FILENAME !~ /^tests\/preload\//)
        refuse("parameters", "more than six parameters; a struct is missing")
    prototype = ""
}

bare ~ /^\{/ { in_function = FNR; long = 0 }
bare ~ /^\}/ { in_function = 0 }
in_function && FNR - in_function > 60 && !long && FILENAME !~ /^tests\// {
    refuse("function-length", "a function longer than 60 lines")
    long = 1
}
in_function && bare ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef)/ { refuse("ifdef", "test options in a plain if, with CONFIG_ON") }

FILENAME !~ /^tests\// && FILENAME !~ /\.h$/ && bare ~ /(^|[^A-Za-z0-9_])secret_reveal[ \t]*\(/ {
    if (in_function && !((FILENAME " " caller) in may_reveal))
        refuse("reveal", caller " calls secret_reveal and is not listed in tests/lint/reveal.txt")
}
