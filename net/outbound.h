/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What leaves the box, as those see it who ask for it: a mail for a relay, a request to an HTTPS server, or the question
 * what time it is.
 *
 * The worker opens no connection. It hands jobs to the courier, a process of its own that reaches a fixed list of
 * destinations and nothing else (firmware/courier). Who has a job needs no list: a job names its destination as the
 * settings have it, and the link (firmware/worker/outbound.h) keeps the list, tells it to the supervisor when a
 * job names one that is not on it, and forgets it when nothing was sent for a while. A new list means a new courier, so
 * changes are some seconds apart, and the first job for a destination waits so long.
 *
 * Nothing here blocks, and each job is answered once, at the latest when its time is over. */
#ifndef NET_OUTBOUND_H
#define NET_OUTBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"
#include "net/loop.h"

#define OUTBOUND_PLACES_MAX       8     /* that the settings of all environments may name */
#define OUTBOUND_TIMES            4     /* time servers beside them, all of which may be asked at once */
#define OUTBOUND_DESTINATIONS_MAX (OUTBOUND_PLACES_MAX + OUTBOUND_TIMES) /* that one courier may reach */
#define OUTBOUND_HOST_MAX         253   /* RFC 1035 */
#define OUTBOUND_CA_MAX           8192  /* PEM: a CA and those above it */
#define OUTBOUND_USER_MAX         255
#define OUTBOUND_PASSWORD_MAX     255
#define OUTBOUND_ADDRESS_MAX      254   /* of a mailbox: contract 5.1 */
#define OUTBOUND_MAIL_MAX         98304 /* 96 KiB: the whole RFC 5322 text, encoded */
#define OUTBOUND_PATH_MAX         1024  /* with the query */
#define OUTBOUND_AUTHORIZATION_MAX 512
#define OUTBOUND_BODY_MAX         8192  /* of a request: a form */
#define OUTBOUND_ANSWER_MAX       65536 /* body of an answer; a longer one is OUTBOUND_REFUSED */
#define OUTBOUND_STATUS_MAX       999   /* three digits: RFC 5321, RFC 9110 */

enum outbound_kind { OUTBOUND_SMTP, OUTBOUND_HTTPS, OUTBOUND_TIME, OUTBOUND_KINDS };

/* A literal: "smtp". For logs. */
const char *outbound_kind_name(enum outbound_kind kind);

/* How long a job may take, seconds, from when it is asked for; and again for the courier, from when it begins. */
unsigned int outbound_kind_s(enum outbound_kind kind);

/* What the courier carries out at once: one mail, so many requests, and OUTBOUND_TIMES questions for the time, each to another
 * destination. */
#define OUTBOUND_FETCHES 3
#define OUTBOUND_LANES   (1 + OUTBOUND_FETCHES + OUTBOUND_TIMES)

/* Of a lane, 0 to OUTBOUND_LANES - 1. */
enum outbound_kind outbound_lane_kind(size_t lane);

/* Mails and requests know no third one: of them nothing is ever sent in clear, and no certificate goes unchecked. */
enum outbound_tls {
    OUTBOUND_TLS,      /* from the first byte: https, and smtps (port 465). Time: NTS, by the port of its key exchange (4460) */
    OUTBOUND_STARTTLS, /* SMTP only (port 587): a relay that does not offer it gets nothing */
    OUTBOUND_CLEAR,    /* time only: NTP (port 123), whose answer anybody on the way can forge */
    OUTBOUND_TLS_KINDS
};

/* A literal: "starttls". For logs. */
const char *outbound_tls_name(enum outbound_tls tls);

/* Whom to reach. The certificate must be for this host (a name, not an address) and lead to the pinned CA, or without one
 * to the system's. */
struct outbound_destination {
    enum outbound_kind kind;
    enum outbound_tls tls;
    uint16_t port;
    struct span host; /* letters, digits, '-' and '.': see outbound_host_fits */
    struct span ca;   /* PEM, at most OUTBOUND_CA_MAX bytes; empty: the system's */
};

/* May this be the host of a destination: two or more labels of letters, digits and '-' with dots between, the last
 * beginning with a letter (an IPv4 address, in any of its notations, is no name), at most OUTBOUND_HOST_MAX bytes; or
 * localhost? For settings, which refuse what does not fit. */
bool outbound_host_fits(struct span host);

/* May this be the ca of a destination: one or more certificates in PEM, each from its BEGIN line to its END line with Base64
 * between, the first at the front; text beside them that is no PEM is passed over? What the Base64 is, is found out by
 * whoever checks with it. For settings, which refuse what does not fit. */
bool outbound_ca_fits(struct span pem);

/* Is all of it in its limits? */
bool outbound_destination_fits(const struct outbound_destination *destination);

/* Same place, same protection, same CA? */
bool outbound_destination_equal(const struct outbound_destination *a, const struct outbound_destination *b);

/* A mail. The text is RFC 5322, complete with header, lines ended by CRLF or LF; dots at the front of lines and missing
 * CRs are the courier's business. */
struct outbound_mail {
    struct span from; /* envelope: mailboxes without "<>", ASCII, at most OUTBOUND_ADDRESS_MAX bytes */
    struct span to;
    struct span user; /* both empty: the relay wants no sign-in */
    struct span password;
    struct span text; /* at most OUTBOUND_MAIL_MAX bytes */
};

enum outbound_method { OUTBOUND_GET, OUTBOUND_POST, OUTBOUND_METHODS };

/* A request. Redirects are not followed: their status is the answer. */
struct outbound_fetch {
    enum outbound_method method;
    struct span path;          /* "/token?x=y": visible ASCII, begins with '/' */
    struct span authorization; /* value of the header, visible ASCII and blanks; empty: none */
    struct span body;          /* of a POST, application/x-www-form-urlencoded; empty with GET */
    struct buf *answer;        /* where the body of the answer is appended, also of one that is not 200; the caller's.
                                * Made for OUTBOUND_ANSWER_MAX bytes; only written before done, and not after */
};

/* What a time server has said: at the instant `at` of this machine's clock since boot it was unix_ns there. Whoever sets the
 * calendar reckons from that, so it does not matter when, or whether the calendar was set meanwhile. */
struct outbound_reading {
    uint64_t unix_ns;     /* since 1970-01-01T00:00:00Z, without leap seconds */
    struct mono_time at;
    uint64_t delay_ns;    /* of question and answer on their way */
    uint64_t distance_ns; /* by how much unix_ns may be wrong at most, if everybody is honest: RFC 5905's root distance */
    uint32_t stratum;     /* 1 to OUTBOUND_STRATUM_MAX */
    bool authenticated;   /* by NTS: nobody but that server can have said so, and only in answer to us */
};

#define OUTBOUND_STRATUM_MAX 15

/* How a job ended. */
enum outbound_result {
    OUTBOUND_DONE,      /* mail: the relay has taken it. fetch: the server has answered; status says what. time: it has */
    OUTBOUND_TEMPORARY, /* try again later: not reached, no trust, 4xx of a relay, no courier, time over */
    OUTBOUND_REFUSED,   /* for good: this mail was refused (5xx of MAIL, RCPT or DATA); the answer of a server is longer
                         * than it may be or no HTTP; a time server does not want to be asked again */
    OUTBOUND_RESULTS
};

/* How far it came, for the log and for the person who sets it up. */
enum outbound_stage {
    OUTBOUND_AT_QUEUE,    /* it never left the worker */
    OUTBOUND_AT_RESOLVE,  /* no address for the name */
    OUTBOUND_AT_CONNECT,  /* nobody answers there */
    OUTBOUND_AT_TLS,      /* no TLS 1.2 or 1.3, or the certificate is not to be trusted or for another name */
    OUTBOUND_AT_GREETING, /* the relay's first words, and EHLO */
    OUTBOUND_AT_STARTTLS, /* the relay does not offer it, or misused it */
    OUTBOUND_AT_SIGN_IN,  /* user or password refused, or no way to sign in that we know */
    OUTBOUND_AT_FROM,     /* the sender is refused */
    OUTBOUND_AT_TO,       /* the recipient is refused */
    OUTBOUND_AT_DATA,     /* the text is refused, or too long for the relay */
    OUTBOUND_AT_REQUEST,  /* the request could not be sent */
    OUTBOUND_AT_ANSWER,   /* the answer did not come, or not whole */
    OUTBOUND_AT_END,      /* all went well */
    OUTBOUND_AT_KEYS,     /* no keys by NTS-KE: its answer did not come, or is none */
    OUTBOUND_AT_RATE,     /* a time server wants to be asked less often */
    OUTBOUND_STAGES
};

/* A literal: "connect". For logs and JSON. */
const char *outbound_stage_name(enum outbound_stage stage);

/* One job. The caller's memory with all that it points to, the link's from submit to done: there is no way to cancel
 * one, it ends by itself within its time (CONFIG_COURIER_MAIL_S, CONFIG_COURIER_FETCH_S, CONFIG_COURIER_TIME_S, waiting
 * included). */
struct outbound_job {
    void (*done)(struct outbound_job *job); /* on the loop's thread, once; not from inside of submit */
    struct loop *loop;
    struct outbound_destination to; /* its kind says which of the next two counts; a question for the time has none */
    struct outbound_mail mail;
    struct outbound_fetch fetch;
    enum outbound_result result; /* the answer, as the next two */
    enum outbound_stage stage;
    uint32_t status; /* SMTP reply or HTTP status, at most OUTBOUND_STATUS_MAX; 0: none came */
    struct outbound_reading reading; /* of the time, if result is OUTBOUND_DONE */
    struct loop_post post;      /* the link's, as the rest */
    struct outbound_job *next;
    struct mono_time until;
    size_t sent; /* bytes of text or body */
    uint64_t number;
};

/* A reading as a time server may give it? */
bool outbound_reading_fits(const struct outbound_reading *reading);

/* ERR_RANGE: something in the job is longer than it may be, or not of its form. */
enum err outbound_job_check(const struct outbound_job *job) MUST_USE;

/* Where jobs go: how the API reaches the link. */
struct outbound {
    /* Any thread; never blocks. Errors of outbound_job_check; ERR_LIMIT: as many wait as may; ERR_CLOSED: the worker is
     * stopping. done is then not called. */
    enum err (*submit)(void *context, struct outbound_job *job);
    void *context;
};

#endif
