/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of a user that they change themselves: one table of members says what each may hold, where it is kept and
 * how it is refused. Whatever is not in the table of a part is not changed by it: contract 5.10, no mass assignment. */
#ifndef FIRMWARE_DATA_PEOPLE_FIELDS_H
#define FIRMWARE_DATA_PEOPLE_FIELDS_H

#include "firmware/data/people_int.h"

enum person_part {
    PERSON_NAME, /* of the user as a whole */
    PERSON_PROFILE,
    PERSON_PREFERENCES,
    PERSON_NOTIFICATIONS,
    PERSON_ONBOARDING,
    PERSON_PUBLIC_SETTINGS,
    PERSON_PART_END
};

/* The part that the last segment of a path names. ERR_NOT_FOUND. */
enum err person_part_find(struct span segment, enum person_part *out_part) MUST_USE;

/* Takes what a body says of a part; members that are absent stay as they are, others are passed over. The person then
 * borrows from the body. ERR_DENIED. */
enum err person_part_read(enum person_part part, const struct json_value *body, struct person *person,
                          struct refusal *refusal) MUST_USE;

/* The object of a part; not PERSON_NAME. brief: a profile as others see it, without email and mobile. */
void person_part_write(struct json_out *out, enum person_part part, struct person *person, bool brief);

#endif
