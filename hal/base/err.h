/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one list of error codes. A code names what the caller can do about it; the reason stands in the fault trail. */
#ifndef HAL_BASE_ERR_H
#define HAL_BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_NO_MEMORY,   /* an allocation or a byte budget refused: give up this request */
    ERR_RANGE,       /* a length or number does not fit its stated maximum */
    ERR_MALFORMED,   /* the bytes are not of the form they claim: refuse them */
    ERR_NOT_FOUND,   /* there is no such thing */
    ERR_EXISTS,      /* a unique value is there already */
    ERR_CONFLICT,    /* the state changed or clashes: the caller may look again and retry */
    ERR_FULL,        /* disk or map full: nothing was written */
    ERR_IO,          /* the operating system failed a read, a write or a sync */
    ERR_TIMEOUT,     /* the time allowed has passed */
    ERR_AGAIN,       /* nothing to be had now: wait for readiness and call again */
    ERR_CLOSED,      /* the other side is gone */
    ERR_REFUSED,     /* the operating system or a sandbox said no */
    ERR_AUTH,        /* a tag, signature, digest or password does not match */
    ERR_DENIED,      /* a policy decision says no */
    ERR_POLICY,      /* the TPM's policy does not hold: PCRs differ */
    ERR_PIN,         /* the PIN is wrong or missing */
    ERR_LOCKED,      /* the TPM has counted too many failures: wait */
    ERR_NO_DEVICE,   /* the device is not there, or stopped answering */
    ERR_DEVICE,      /* the device answered with a failure that is not the caller's */
    ERR_STALE_KEY,   /* sealed under a key or epoch that is no longer held */
    ERR_DAMAGED,     /* stored data fails its own check */
    ERR_ROLLBACK,    /* stored data is older than what was seen before */
    ERR_LIMIT,       /* a queue, table or rate limit is exhausted: try later */
    ERR_BUDGET,      /* the step or time budget of this request is used up */
    ERR_UNSUPPORTED, /* known, and not offered */
    ERR_STATE,       /* not legal in this state */
    ERR_EXPIRED,     /* was valid, and its time is over */
    ERR_REVOKED,     /* was valid, and was taken back */
    ERR_VERSION,     /* of a version that this program does not read */
    ERR_CANCELLED,   /* the caller went away or the program is stopping */
    ERR_BUG,         /* only a defect of this program can cause it */
    ERR_COUNT
};

/* The code's name, as it appears in the log: "ERR_RANGE". A static string. */
const char *err_name(enum err err);

#endif
