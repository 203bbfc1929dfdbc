# SPDX-License-Identifier: GPL-3.0-or-later
#
# Checks who includes whom, without a compiler. Run over every .c and .h below the root of the tree:
#   awk -f tests/lint/layers.awk -v root=. file...
# A file may include its own folder and folders of lower rank. Two folders of one rank do not know each other, so
# storage and net meet only in firmware.

function rank(path) {
    if (path ~ /^hal\/base\//) return 0
    if (path ~ /^hal\/(linux|sim)\//) return 11
    if (path ~ /^hal\//) return 10
    if (path ~ /^crypto\//) return 20
    if (path ~ /^net\/lwip\//) return 29
    if (path ~ /^(storage|net)\//) return 30
    if (path ~ /^firmware\/(rls|schema|mail)\//) return 40
    if (path ~ /^firmware\/(auth|audit)\//) return 41
    if (path ~ /^firmware\/data\//) return 42
    if (path ~ /^firmware\/(api|update|console)\//) return 43
    if (path ~ /^firmware\/[a-z_0-9]+\.h$/) return 44
    if (path ~ /^firmware\/(supervisor|keeper|worker|courier|updater|init|stage1|cli)\//) return 45
    if (path ~ /^firmware\//) return 46
    if (path ~ /^board\//) return 15
    if (path ~ /^tests\//) return 99
    return -1
}

function folder(path) {
    sub(/\/[^\/]*$/, "", path)
    return path
}

function refuse(why) {
    printf "%s:%d: layers: %s\n", FILENAME, FNR, why
}

FNR == 1 {
    first = 1
    own = FILENAME
    sub(/\.c$/, ".h", own)
    has_own = (own != FILENAME && (getline unused < (root "/" own)) >= 0)
    close(root "/" own)
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    target = part[2]
    here = folder(FILENAME)
    there = folder(target)

    if ((getline unused < (root "/" target)) < 0)
        refuse("\"" target "\" is not a path from the root of the tree")
    close(root "/" target)
    if (first && has_own && target != own)
        refuse("the first include must be the file's own header, \"" own "\"")
    first = 0

    if (FILENAME ~ /^tests\//) {
        if (target ~ /\.c$/)
            refuse("a test goes through the public header, not into \"" target "\"")
        next
    }
    if (target ~ /_int\.h$/ && here != there)
        refuse("\"" target "\" is for its own folder")
    if (target ~ /^(board|tests|hal\/sim)\// && here != there)
        refuse("nothing includes \"" target "\"; the board and the simulated devices are linked")
    if (FILENAME ~ /^firmware\// && target ~ /^storage\// && FILENAME !~ /^firmware\/data\//)
        refuse("only firmware/data includes storage/")
    if (FILENAME ~ /^firmware\/(rls|schema|mail)\// && target !~ /^hal\/base\// && here != there)
        refuse("rls, schema and mail are pure: hal/base only")
    if (FILENAME ~ /^board\// && target !~ /^hal\// && here != there)
        refuse("a board includes hal only")
    if (here != there && rank(target) >= rank(FILENAME))
        refuse("\"" target "\" does not lie below " here)
}
