/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_operator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/data/operators.h"
#include "firmware/data/people_int.h"
#include "hal/base/fault.h"
#include "tests/lib/api_write.h"

void api_operator_offer(struct api_box *box, char out_code[SETUP_CODE_CHARS + 1])
{
    struct random *random = NULL;

    assert_int_equal(random_new(SPAN_NONE, &random), ERR_OK);
    setup_code_make(random, box->clock.mono, &box->setup, out_code);
    out_code[SETUP_CODE_CHARS] = 0;
    random_free(random);
}

const struct api_answer *api_operator_set_up(struct api_box *box, const char *code)
{
    char body[256];

    (void)snprintf(body, sizeof body,
                   "{\"setupCode\":\"%s\",\"email\":\"" OPERATOR_EMAIL "\",\"password\":\"" OPERATOR_PASSWORD
                   "\",\"name\":\"Root\"}",
                   code);
    return api_box_send(box, "POST", NULL, OPERATOR_ADMIN "/setup", body);
}

void api_operator_make_owner(struct api_box *box)
{
    char code[SETUP_CODE_CHARS + 1];

    api_operator_offer(box, code);
    assert_int_equal(api_operator_set_up(box, code)->status, 201);
}

/* Of the role in call->table. */
static enum err insert_operator(struct data_txn *txn, struct data_call *call)
{
    struct data_password password;
    char id[AUTH_UUID_BYTES];
    struct person owner;
    char email[64];
    struct row row;

    (void)snprintf(email, sizeof email, "%.*s@example.com", (int)call->table.len, (const char *)call->table.data);
    auth_uuid_make(txn->data->random, id);
    TRY(people_find_email(people_snap(txn), people_where(txn), span_lit(OPERATOR_EMAIL), &owner));
    char owner_id[AUTH_UUID_BYTES];
    memcpy(owner_id, owner.id.data, sizeof owner_id);
    TRY(people_find_password(people_snap(txn), people_where(txn), span_array(owner_id), &row, &password));
    struct person person = people_new(txn, span_array(id), span_str(email), call->table);
    person.role = call->table;
    person.roles[person.role_count++] = call->table;
    TRY(people_insert(txn, &person));
    return people_insert_password(txn, span_array(id), &password);
}

void api_operator_make(struct api_box *box, const char *role)
{
    api_write(box, &(struct data_call){.operation = insert_operator,
                                       .place = operators_place(box->data->current)->record.id,
                                       .table = span_str(role)});
}

void api_operator_sign_in(struct api_box *box, const char *email, struct api_user *out_operator)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"email\":\"%s\",\"password\":\"" OPERATOR_PASSWORD "\"}", email);
    api_user_take(api_box_send(box, "POST", NULL, OPERATOR_ADMIN "/signin", body), out_operator);
}

void api_operator_owner(struct api_box *box, struct api_user *out_owner)
{
    api_operator_make_owner(box);
    api_operator_sign_in(box, OPERATOR_EMAIL, out_owner);
}

const struct api_answer *api_operator_ask(struct api_box *box, const struct api_user *operator, const char *method,
                                          const char *target, const char *body)
{
    return api_user_ask(box, NULL, operator, method, target, body);
}
