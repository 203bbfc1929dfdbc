/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a JSON tree. Objects are searched from the front: bodies have few members, and their number is bounded by the
 * size of the text. */
#include "hal/base/json_value.h"

const struct json_value *json_find(const struct json_value *object, struct span name)
{
    if (object == NULL || object->type != JSON_OBJECT) {
        return NULL;
    }
    for (size_t i = 0; i < object->as.object.count; i++) {
        if (span_equal(object->as.object.members[i].name, name)) {
            return &object->as.object.members[i].value;
        }
    }
    return NULL;
}
