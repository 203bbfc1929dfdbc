/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /v1/admin/network: settings, and what became of them. Contract 10.2 names the route and leaves the rest open:
 *
 *   {"time":{"servers":[{"host","port","nts","ca"?}],
 *            "clock":{"now","isSet","state","source","authenticated","checkedAt","offsetMs","errorMs"}}}
 *
 * isSet: does the box set its clock, or only look, because that is its host's business? state: off (no servers), waiting
 * (nothing is known yet), synchronized, disagreeing (no majority), unreachable. The other members are of the latest reading
 * that counted, or null. PUT takes the same object, without regard to `clock`, and answers with the settings. */
#include "firmware/api/request_int.h"

#include "firmware/data/network.h"
#include "hal/base/fault.h"
#include "net/json_out.h"

static const char *const states[] = {[API_CLOCK_OFF] = "off",
                                     [API_CLOCK_WAITING] = "waiting",
                                     [API_CLOCK_SYNCHRONIZED] = "synchronized",
                                     [API_CLOCK_DISAGREEING] = "disagreeing",
                                     [API_CLOCK_UNREACHABLE] = "unreachable"};
_Static_assert(ARRAY_LENGTH(states) == API_CLOCK_STATES, "each has a name");

static void write_instant(struct json_out *out, struct span name, struct wall_time time)
{
    char text[TIME_ISO_BYTES];

    time_format_iso(time, text);
    json_out_member_text(out, name, span_array(text));
}

static void write_reading(struct json_out *out, const struct api_clock_state *state)
{
    json_out_member_text(out, span_lit("source"), span_str(state->source));
    json_out_member_bool(out, span_lit("authenticated"), state->authenticated);
    write_instant(out, span_lit("checkedAt"), state->checked_at);
    json_out_member_int(out, span_lit("offsetMs"), state->offset_ms);
    json_out_member_int(out, span_lit("errorMs"), state->error_ms);
}

static void write_no_reading(struct json_out *out)
{
    static const char *const names[] = {"source", "authenticated", "checkedAt", "offsetMs", "errorMs"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        json_out_member_null(out, span_str(names[i]));
    }
}

static void write_clock(struct json_out *out, const struct api_request *request)
{
    const struct api_clock *const clock = &request->api->options.time;
    struct api_clock_state state = {.state = API_CLOCK_OFF};

    if (clock->read != NULL) {
        clock->read(clock->context, request->api->options.reactor, &state);
    }
    json_out_object(out);
    write_instant(out, span_lit("now"), request->now);
    json_out_member_bool(out, span_lit("isSet"), clock->is_set);
    json_out_member_text(out, span_lit("state"), span_str(states[state.state]));
    if (state.has_reading) {
        write_reading(out, &state);
    } else {
        write_no_reading(out);
    }
    json_out_object_end(out);
}

static enum err write_network(struct api_request *request)
{
    struct network_time time;
    struct json_out out;

    TRY(request_begin_body(request));
    network_time_read(request->catalog, &time);
    json_out_init(&out, http_body(request->exchange));
    json_out_object(&out);
    json_out_name(&out, span_lit("time"));
    json_out_object(&out);
    network_time_write(&out, &time);
    json_out_name(&out, span_lit("clock"));
    write_clock(&out, request);
    json_out_object_end(&out);
    json_out_object_end(&out);
    return json_out_finish(&out);
}

void handle_network(struct api_request *request)
{
    request_finish(request, write_network(request));
}

/* For who looks at these settings without a request. */
const struct catalog *api_catalog(struct api *api)
{
    return api->reader != NULL ? data_catalog(api->reader) : NULL;
}
