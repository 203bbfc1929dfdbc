/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/destinations.h"

#include "firmware/auth/https_url.h"
#include "firmware/data/oidc.h"
#include "hal/base/fault.h"

struct list {
    struct outbound_destination items[OUTBOUND_PLACES_MAX];
    size_t count;
};

/* Environments with the same relay have one destination. False: it is one too many. */
static bool add(struct list *list, const struct outbound_destination *destination)
{
    for (size_t i = 0; i < list->count; i++) {
        if (outbound_destination_equal(&list->items[i], destination)) {
            return true;
        }
    }
    if (list->count == OUTBOUND_PLACES_MAX) {
        return false;
    }
    list->items[list->count++] = *destination;
    return true;
}

static bool add_issuers(struct list *list, const struct catalog_environment *environment)
{
    struct data_oidc provider;
    struct https_url issuer;
    size_t at = 0;

    while (data_oidc_next(environment, &at, &provider)) {
        if (https_url_read(provider.issuer, &issuer) != ERR_OK) {
            fault_clear(); /* nobody signs in by it either */
            continue;
        }
        const struct outbound_destination destination = {
            .kind = OUTBOUND_HTTPS, .tls = OUTBOUND_TLS, .port = issuer.port, .host = issuer.host, .ca = provider.ca};
        if (!add(list, &destination)) {
            return false;
        }
    }
    return true;
}

static bool add_all(struct list *list, const struct catalog_environment *environment)
{
    const struct outbound_destination *relay = &environment->mail.relay.to;

    return (relay->host.len == 0 || add(list, relay)) && add_issuers(list, environment);
}

enum err destinations_check(const struct catalog *catalog, struct refusal *refusal)
{
    struct list list = {.count = 0};
    size_t cursor = 0;

    for (;;) {
        const struct catalog_record *record = catalog_next(catalog, CATALOG_ENVIRONMENT, &cursor);
        if (record == NULL) {
            return ERR_OK;
        }
        if (!add_all(&list, (const struct catalog_environment *)record)) {
            return refuse(refusal, REFUSAL_COMMON_CONFLICT,
                          "The appliance connects to at most 8 different places, and all of them are in use");
        }
    }
}
