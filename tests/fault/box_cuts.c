/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Power cuts: what the disk may hold, built in a folder of its own and looked at. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/base/fault.h"
#include "tests/fault/box_tool.h"
#include "tests/lib/replay.h"

#define CHOICES    4 /* of what a disk keeps, for each place: all, no more than it must, two of its own */
#define PATH_BYTES 2048
#define COPY_BYTES 65536

static const char *const parts[] = {"db", "keeper"};

static void copy_file(const char *from, const char *to)
{
    static char bytes[COPY_BYTES];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t len = 0;

    must_be(in != NULL && out != NULL && chmod(to, 0600) == 0, "copying");
    while ((len = fread(bytes, 1, sizeof(bytes), in)) > 0) {
        must_be(fwrite(bytes, 1, len, out) == len, "copying");
    }
    fclose(in);
    must_be(fclose(out) == 0, "copying");
}

/* Every file of a folder: removed (to is NULL), or copied to another. */
static void each_file(const char *folder, const char *to)
{
    char path[PATH_BYTES];
    char other[PATH_BYTES];
    DIR *dir = opendir(folder);

    must_be(dir != NULL, "no such folder");
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' || (to != NULL && strcmp(entry->d_name, "lock.mdb") == 0)) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (to == NULL) {
            must_be(unlink(path) == 0, "removing");
        } else {
            snprintf(other, sizeof(other), "%s/%s", to, entry->d_name);
            copy_file(path, other);
        }
    }
    closedir(dir);
}

static void make_folders(const char *folder)
{
    char path[PATH_BYTES];

    must_be(mkdir(folder, 0700) == 0, "the folder is there already");
    for (size_t at = 0; at < ARRAY_LENGTH(parts); at++) {
        snprintf(path, sizeof(path), "%s/%s", folder, parts[at]);
        must_be(mkdir(path, 0700) == 0, "making folders");
    }
}

static void begin_anew(const char *folder, const char *base)
{
    char path[PATH_BYTES];
    char from[PATH_BYTES];

    for (size_t at = 0; at < ARRAY_LENGTH(parts); at++) {
        snprintf(path, sizeof(path), "%s/%s", folder, parts[at]);
        each_file(path, NULL);
        if (base != NULL) {
            snprintf(from, sizeof(from), "%s/%s", base, parts[at]);
            each_file(from, path);
        }
    }
}

static bool is_folder_sound(struct look *look, const char *folder, bool with_keeper, uint64_t time)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/keeper", folder);
    if (with_keeper && open_keeper(path) != ERR_OK) {
        *look = (struct look){.why = "the keeper does not unseal"};
        print_trail();
        return false;
    }
    snprintf(path, sizeof(path), "%s/db", folder);
    return is_sound(look, path, time);
}

static bool is_keepers(const struct replay *replay, size_t point)
{
    const char *name = replay_name(replay, point);

    return name != NULL && strncmp(name, "keeper/", strlen("keeper/")) == 0;
}

/* Every point, or if the keeper's files count those before and behind its calls; the number of them. */
static size_t find_places(const struct replay *replay, bool with_keeper, size_t *out_places)
{
    size_t found = 0;

    for (size_t point = 0; point <= replay_points(replay); point++) {
        if (!with_keeper || is_keepers(replay, point) || (point > 0 && is_keepers(replay, point - 1))) {
            out_places[found++] = point;
        }
    }
    return found;
}

struct cuts {
    const struct replay *replay;
    const char *folder;
    const char *base;
    size_t built;
    size_t lost;
    struct look look; /* at the last */
};

static void cut_at(struct cuts *cuts, size_t point)
{
    for (uint32_t choice = 0; choice < CHOICES; choice++) {
        begin_anew(cuts->folder, cuts->base);
        replay_build(cuts->replay, point, choice, cuts->folder);
        cuts->built++;
        if (!is_folder_sound(&cuts->look, cuts->folder, cuts->base != NULL, replay_time(cuts->replay, point))) {
            cuts->lost++;
            printf("cut at %zu of %zu, choice %u: %s\n", point, replay_points(cuts->replay), choice, cuts->look.why);
        }
    }
}

/* Places are spread evenly over those there are. */
bool do_cuts(const char *log, const char *count_text, const char *folder, const char *base)
{
    struct replay *replay = replay_open(log);
    struct cuts cuts = {.replay = replay, .folder = folder, .base = base};
    size_t *places = calloc(replay_points(replay) + 1, sizeof(size_t));

    must_be(places != NULL, "no memory");
    const size_t all = find_places(replay, base != NULL, places);
    const size_t wanted = strtoul(count_text, NULL, 10);
    const size_t count = wanted < all ? wanted : all;
    must_be(count > 1, "nothing to cut");
    make_folders(folder);
    for (size_t at = 0; at < count; at++) {
        cut_at(&cuts, places[(all - 1) * at / (count - 1)]);
    }
    printf("%s %zu calls, %zu cuts, %zu of them lose something; after the last %llu rows, %llu acknowledged changes\n",
           cuts.lost == 0 ? "ok" : "bad", replay_points(replay), cuts.built, cuts.lost,
           (unsigned long long)cuts.look.rows, (unsigned long long)cuts.look.acked);
    free(places);
    replay_free(replay);
    return cuts.lost == 0;
}
