/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages between the processes of the appliance.
 *
 * One table (msg.c) says of each type: on which kind of channel it travels, in which direction, in which states of the
 * life cycle the receiver takes it, its fields, and its exact size. A datagram that is unknown, of another size, with a
 * field out of range, on the wrong channel, or untimely is refused, and the receiver then ends the sender: the
 * supervisor kills the child, the keeper closes all channels of the worker and reports it, a child exits.
 *
 * Every process is the same program, so there are no versions. Numbers are big-endian; a text is its length in four
 * bytes, then its capacity in bytes, zero past the length. Messages may carry keys: struct msg is wiped by its user
 * (SCOPED_MSG), the channel wipes its own copy. */
#ifndef FIRMWARE_MSG_H
#define FIRMWARE_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"
#include "hal/frame.h"
#include "hal/life.h"
#include "net/outbound.h"

#define MSG_WIRE_MAX        2048 /* bytes of the largest message; an SOCK_SEQPACKET datagram never comes in parts */
#define MSG_NAME_MAX        253  /* bytes of a host name or an address as text (RFC 1035) */
#define MSG_TCTI_MAX        256
#define MSG_PIN_MAX         64
#define MSG_POLICY_MAX      1200 /* the signed policy of an image: IMAGE_POLICY_MAX */
#define MSG_PLAN_MAX        400  /* a signed plan of Secure Boot: BOOT_PLAN_MAX */
#define MSG_RECOVERY_MAX    256  /* the words, and generous space between them */
#define MSG_PEM_MAX         1536 /* one certificate as PEM: the CA's is some 700 bytes */
#define MSG_LEAF_MAX        1900 /* one certificate as DER: some 450 bytes and its names */
#define MSG_POINT_MAX       97   /* P-384, uncompressed */
#define MSG_TRANSCRIPT_MAX  48   /* SHA-384 */
#define MSG_SIGNATURE_MAX   72   /* ECDSA P-256 in DER */
#define MSG_KEY_BYTES       32
#define MSG_TICKET_NAME_BYTES 16
#define MSG_WRAPPED_MAX     96   /* a wrapped key: version 4, salt 32, key 32, tag 16, and room */
#define MSG_URL_MAX         300  /* https:// with a name of MSG_NAME_MAX and a port */
#define MSG_UUID_BYTES      36
#define MSG_API_KEY_MAX     96
#define MSG_ENVIRONMENT_MAX 64
#define MSG_SETUP_MAX       16
#define MSG_REACTORS_MAX    64
#define MSG_TOKEN_MAX       800  /* a signed token: AUTH_TOKEN_MAX */
#define MSG_DIGEST_BYTES    32   /* SHA-256 */
#define MSG_POINT_BYTES     65   /* P-256, uncompressed */
#define MSG_TOKEN_KEYS_MAX  4    /* versions of one environment's token key at one time */
#define MSG_ACCESS_S_MAX    3600     /* the longest life that the keeper gives a token: contract 5.4 */
#define MSG_REFRESH_S_MAX   (7 * 24 * 3600)
#define MSG_ADDRESSES_MAX   8    /* of the stack in user space: STACK_LWIP_ADDRESSES_MAX */
#define MSG_ADDRESS_BYTES   17   /* 4 or 6, and the address in network order, zero behind it */
#define MSG_DNS_MAX         2    /* name servers: STACK_LWIP_DNS_MAX */
#define MSG_VERSION_MAX     63 /* of an image */
#define MSG_UPDATE_PIECE_MAX 1048576 /* bytes of an update that one request brings */
#define MSG_PART_MAX        1900 /* bytes of something long that one message carries */

/* The kinds of channel. The upper end has the higher trust: supervisor, then keeper, then worker, then courier. */
enum msg_channel_kind {
    MSG_TO_KEEPER, /* supervisor - keeper */
    MSG_TO_WORKER, /* supervisor - worker */
    MSG_REACTOR,   /* keeper - one reactor of the worker: signatures and unlocking, without waiting */
    MSG_CALLS,     /* keeper - the thread that opens the store, later its writer: one question, one answer */
    MSG_NOTICES,   /* keeper - main thread of the worker: certificate and ticket keys, whenever they change */
    MSG_TO_COURIER, /* supervisor - courier */
    MSG_JOBS,      /* main thread of the worker - courier: what leaves the box, one job of each kind at a time */
    MSG_TO_UPDATER, /* supervisor - updater */
    MSG_UPDATES,    /* updater - a thread of the worker: one question, one answer */
    MSG_CHANNEL_KINDS
};

enum msg_end { MSG_UPPER, MSG_LOWER };

/* What the child at the lower end is doing; on keeper - worker channels: what the receiver is doing. */
enum msg_state {
    MSG_STARTING,
    MSG_LOCKED, /* also unprovisioned and failed: no rows are served */
    MSG_OPERATIONAL,
    MSG_STOPPING,
    MSG_STATES
};

enum msg_type {
    /* supervisor to keeper */
    MSG_KEEPER_NAME,   /* one name or address for the certificate; the list is complete at index + 1 == count */
    MSG_KEEPER_GENERATION, /* the source of the VM generation comes along; none if the platform has none */
    MSG_KEEPER_POLICY, /* the signed policy of the running image, on a measured board */
    MSG_KEEPER_START,  /* open the TPM and find the state */
    MSG_KEEPER_WORKER, /* a channel to a new worker comes along; index 0 ends the channels of the previous one */
    MSG_KEEPER_SHOWN,  /* the recovery key was shown to a person: from now on it never is again */
    MSG_KEEPER_ASK,    /* does the crypto thread run? */
    /* One of the next three at a time. On a board that is not measured the first two change nothing and succeed. */
    MSG_KEEPER_APPROVE, /* let an image open this box, by its signed policy */
    MSG_KEEPER_BLESS,   /* the running image has proved itself: raise the minimum to its security version */
    MSG_KEEPER_PLAN,    /* seal for a state of Secure Boot that is to come, by the vendor's signed plan */
    MSG_KEEPER_STOP,   /* shut the TPM down in order, then exit */
    /* keeper to supervisor */
    MSG_KEEPER_STATE,
    MSG_KEEPER_RECOVERY, /* the recovery key, to be shown once */
    MSG_KEEPER_CA,       /* the CA certificate as PEM, for clients to pin */
    MSG_KEEPER_OFFENCE,  /* the worker sent what it may not send */
    MSG_KEEPER_ANSWER,   /* it does */
    MSG_KEEPER_APPROVED, /* errors of measured_approve() */
    MSG_KEEPER_BLESSED,
    MSG_KEEPER_PLANNED,
    /* supervisor to worker */
    MSG_WORKER_FD,    /* a listener or a channel to the keeper comes along */
    MSG_WORKER_FRAMES, /* a source of frames comes along: hal/frame.h */
    MSG_WORKER_START, /* all descriptors are there */
    MSG_WORKER_ASK,   /* do the main thread and every reactor run? */
    MSG_WORKER_STOP,  /* finish what was accepted, then exit */
    MSG_WORKER_COURIER, /* a channel to a new courier comes along, and the number of the list that it was given */
    /* worker to supervisor */
    MSG_WORKER_BOOTSTRAP, /* the first project and its keys, to be shown once */
    MSG_WORKER_SETUP,     /* the code that makes the first operator, while there is none */
    MSG_WORKER_READY,     /* requests are answered */
    MSG_WORKER_FAILED,    /* the database cannot be served; the worker goes on in state failed */
    MSG_WORKER_CHECKED,   /* the database was checked offline */
    MSG_WORKER_ANSWER,    /* they do */
    MSG_WORKER_DESTINATION, /* one of a list, complete at index + 1 == count and all of its CA; count 0: the empty list */
    MSG_WORKER_DESTINATION_CA, /* the next bytes of the CA of the destination before */
    MSG_WORKER_ADDRESSES, /* by which others reach the stack in user space; the whole list, whenever it has changed */
    /* reactor to keeper */
    MSG_SIGN_TLS13,
    MSG_SIGN_TLS12,
    MSG_UNLOCK,
    MSG_TOKEN_SIGN, /* an access token and a refresh token for a session */
    MSG_PEPPER,     /* what becomes of a password before it is hashed */
    /* keeper to reactor */
    MSG_SIGNED,
    MSG_UNLOCKED,
    MSG_TOKEN_SIGNED,
    MSG_PEPPERED,
    /* worker's store to keeper, and the answers */
    MSG_KEY_NEW,
    MSG_KEY_OPEN,
    MSG_KEY_REWRAP,
    MSG_ROTATE_BEGIN,
    MSG_ROTATE_END,
    MSG_ROTATE_PENDING,
    MSG_TOKEN_KEYS, /* of an environment; the first is made if there is none */
    MSG_TOKEN_DROP, /* the environment is gone */
    MSG_TOKEN_NEXT, /* which environments have keys: the first after the one named */
    MSG_TOKEN_ROTATE, /* one version more, which signs after MSG_TOKEN_USE: it is to be published first */
    MSG_TOKEN_USE,    /* the newest version was published */
    MSG_TOKEN_RETIRE, /* a version that signs no more is destroyed */
    MSG_KEY,  /* answers new and open; rewrap without the plain key */
    MSG_TOKEN_PUBLIC, /* answers token-keys, token-next, token-rotate */
    MSG_DONE, /* answers the rotation; and any of them with an error */
    /* keeper to the worker's main thread */
    MSG_CERT,
    MSG_TICKETS,
    /* supervisor to courier */
    MSG_COURIER_DESTINATION, /* as the worker told it */
    MSG_COURIER_DESTINATION_CA,
    MSG_COURIER_START, /* the list is complete; the channel to the worker comes along */
    MSG_COURIER_ASK,   /* does the main thread run? */
    MSG_COURIER_STOP,  /* finish the jobs at hand, then exit */
    /* courier to supervisor */
    MSG_COURIER_READY,
    MSG_COURIER_ANSWER, /* it does */
    /* worker to courier: a job, and its text or body in parts until `bytes` of it have come */
    MSG_JOB_MAIL,
    MSG_JOB_FETCH,
    MSG_JOB_PART,
    /* courier to worker */
    MSG_JOB_ANSWER, /* a part of the answer to a fetch */
    MSG_JOB_DONE,
    /* supervisor to updater */
    MSG_UPDATER_START,    /* what runs; the partition of the slot that does not comes along */
    MSG_UPDATER_WORKER,   /* the channel to a new worker comes along */
    MSG_UPDATER_APPROVED, /* the keeper's answer */
    MSG_UPDATER_BLESS,    /* the running image has proved itself */
    MSG_UPDATER_ASK,      /* does it run? */
    MSG_UPDATER_STOP,
    /* updater to supervisor */
    MSG_UPDATER_READY,
    MSG_UPDATER_APPROVE,   /* an update is whole: may it open this box? */
    MSG_UPDATER_BLESSED,
    MSG_UPDATER_INSTALLED, /* it is tried at the next start */
    MSG_UPDATER_OFFENCE,   /* the worker sent what it may not send */
    MSG_UPDATER_ANSWER,    /* it does */
    /* worker to updater, each answered by MSG_UPDATE_STATUS but MSG_UPDATE_BYTES */
    MSG_UPDATE_ASK,
    MSG_UPDATE_BEGIN,
    MSG_UPDATE_PIECE, /* so many bytes from there on follow */
    MSG_UPDATE_BYTES,
    MSG_UPDATE_INSTALL,
    /* updater to worker */
    MSG_UPDATE_STATUS,
    /* courier to worker, where the worker connects: the end of a pair comes along, to be joined with that server. What
     * comes over it first is one byte, enum msg_reached. */
    MSG_JOB_REACH,
    /* worker to courier: what time is it? */
    MSG_JOB_TIME,
    /* courier to worker, before MSG_JOB_DONE: this is */
    MSG_JOB_READING,
    /* worker to supervisor, and its answer */
    MSG_WORKER_PLAN, /* a signed plan of Secure Boot, for the keeper */
    MSG_WORKER_PLANNED,
    /* worker to supervisor */
    MSG_WORKER_TIME, /* what it is, as servers have told */
    MSG_TYPE_COUNT
};

/* Texts and byte strings of bounded length. */
#define MSG_TEXT(name, capacity)                                                                                       \
    struct name {                                                                                                      \
        uint32_t len;                                                                                                  \
        uint8_t data[capacity];                                                                                        \
    }
MSG_TEXT(msg_name, MSG_NAME_MAX);
MSG_TEXT(msg_url, MSG_URL_MAX);
MSG_TEXT(msg_tcti, MSG_TCTI_MAX);
MSG_TEXT(msg_pin, MSG_PIN_MAX);
MSG_TEXT(msg_policy, MSG_POLICY_MAX);
MSG_TEXT(msg_plan, MSG_PLAN_MAX);
MSG_TEXT(msg_recovery, MSG_RECOVERY_MAX);
MSG_TEXT(msg_pem, MSG_PEM_MAX);
MSG_TEXT(msg_leaf, MSG_LEAF_MAX);
MSG_TEXT(msg_point, MSG_POINT_MAX);
MSG_TEXT(msg_transcript, MSG_TRANSCRIPT_MAX);
MSG_TEXT(msg_signature, MSG_SIGNATURE_MAX);
MSG_TEXT(msg_wrapped, MSG_WRAPPED_MAX);
MSG_TEXT(msg_uuid, MSG_UUID_BYTES);
MSG_TEXT(msg_api_key, MSG_API_KEY_MAX);
MSG_TEXT(msg_environment, MSG_ENVIRONMENT_MAX);
MSG_TEXT(msg_setup, MSG_SETUP_MAX);
MSG_TEXT(msg_token, MSG_TOKEN_MAX);
MSG_TEXT(msg_points, MSG_TOKEN_KEYS_MAX *MSG_POINT_BYTES);
MSG_TEXT(msg_part, MSG_PART_MAX);
MSG_TEXT(msg_version, MSG_VERSION_MAX);
MSG_TEXT(msg_mailbox, OUTBOUND_ADDRESS_MAX);
MSG_TEXT(msg_user, OUTBOUND_USER_MAX);
MSG_TEXT(msg_password, OUTBOUND_PASSWORD_MAX);
MSG_TEXT(msg_path, OUTBOUND_PATH_MAX);
MSG_TEXT(msg_authorization, OUTBOUND_AUTHORIZATION_MAX);

/* What a descriptor that travels with MSG_KEEPER_WORKER or MSG_WORKER_FD is. */
enum msg_fd_kind {
    MSG_FD_REACTOR, /* channel */
    MSG_FD_CALLS,   /* channel */
    MSG_FD_NOTICES, /* channel */
    MSG_FD_HTTPS,   /* listening socket */
    MSG_FD_HTTP,    /* listening socket */
    MSG_FD_GENERATION, /* file with the generation of this virtual machine */
    MSG_FD_UPDATES, /* channel to the updater; none where the board has no slots */
    MSG_FD_ADMIN, /* listening socket; the others then serve nothing below /v1/admin */
    MSG_FD_KINDS
};

/* Which addresses of MSG_WORKER_FRAMES are there; without the first one, DHCP. */
enum { MSG_GIVEN_IPV4 = 1, MSG_GIVEN_GATEWAY = 2, MSG_GIVEN_IPV6 = 4, MSG_GIVEN_ALL = 7 };

/* How to reach a server: by a stream, or by datagrams, each a message of the pair. */
enum msg_reach_kind { MSG_REACH_TCP, MSG_REACH_UDP, MSG_REACH_KINDS };

/* What became of it. After any but the first the worker closes. */
enum msg_reached {
    MSG_REACHED = 1,
    MSG_REACHED_NO_NAME, /* no address for the name */
    MSG_REACHED_NOBODY   /* no answer from there */
};

/* What the updater has. */
enum msg_update_phase {
    MSG_UPDATE_NONE,      /* nothing, or what there was has been refused */
    MSG_UPDATE_RECEIVING, /* the file, from its start */
    MSG_UPDATE_WHOLE,     /* all of it, verified and written */
    MSG_UPDATE_INSTALLED, /* it is tried at the next start, which is about to come */
    MSG_UPDATE_PHASES
};

enum msg_unlock_kind { MSG_UNLOCK_PIN, MSG_UNLOCK_RECOVERY, MSG_UNLOCK_DATE_BACK, MSG_UNLOCK_KINDS };

enum msg_worker_mode { MSG_MODE_SERVE, MSG_MODE_CHECK, MSG_MODES };

struct msg {
    enum msg_type type;
    int fd; /* comes along; -1 if none. Sent: stays the caller's. Received: becomes the caller's */
    union {
        struct {
            uint32_t index;
            uint32_t count;
            struct msg_name name;
        } keeper_name;
        struct {
            struct msg_tcti tcti;
            struct msg_pin pin; /* empty: none */
            uint32_t shown;     /* 1: the recovery key was shown, but the keeper before may have died unheard */
        } keeper_start;
        struct msg_policy keeper_policy;        /* also MSG_KEEPER_APPROVE */
        struct msg_plan keeper_plan;
        struct {
            uint32_t err;     /* enum err; ERR_LIMIT: another one is under way */
            uint32_t minimum; /* MSG_KEEPER_BLESSED: the lowest security version from now on; 0: there is none */
        } keeper_image;       /* MSG_KEEPER_APPROVED, _BLESSED, _PLANNED */
        struct msg_version updater_start; /* the version that runs */
        struct {
            uint32_t err;   /* enum err: is it one of the images that may be blessed or replaced? */
            uint32_t trial; /* 1: it is on trial */
        } updater_ready;
        uint32_t err; /* MSG_UPDATER_APPROVED, MSG_UPDATER_BLESSED: enum err */
        struct {
            uint64_t offset; /* in the file */
            uint32_t bytes;
        } update_piece;
        struct {
            uint32_t err; /* enum err: of what was asked for */
            uint32_t phase; /* enum msg_update_phase */
            uint64_t received; /* bytes of the file */
            uint32_t security; /* of the update, as the next; 0 and empty before its header is known */
            struct msg_version version;
            struct msg_version running;
            uint32_t trial; /* 1: the running image is on trial */
        } update_status;
        struct {
            uint32_t kind;  /* enum msg_fd_kind */
            uint32_t index; /* of the descriptor among all of this worker, from 0 */
        } with_fd;
        struct {
            uint32_t kind; /* enum hal_frame_kind */
            uint32_t mtu;
            uint8_t mac[HAL_FRAME_MAC_BYTES];
            uint32_t given; /* MSG_GIVEN_... */
            uint8_t ipv4[4];
            uint32_t prefix; /* of ipv4, in bits */
            uint8_t gateway[4];
            uint8_t ipv6[16];
            uint8_t dns[MSG_DNS_MAX * MSG_ADDRESS_BYTES]; /* family 0: there is none */
        } worker_frames;
        struct {
            uint32_t count;
            uint8_t bytes[MSG_ADDRESSES_MAX * MSG_ADDRESS_BYTES];
        } worker_addresses;
        struct {
            uint32_t state;  /* enum board_state */
            uint32_t reason; /* enum life_reason */
            uint32_t first;  /* 1 until the supervisor has said that it was shown */
            uint64_t date_ms; /* of the calendar by which tokens are dated, now: since 1970 */
        } keeper_state;
        struct msg_recovery keeper_recovery;
        struct msg_pem keeper_ca;
        struct {
            uint32_t mode;   /* enum msg_worker_mode */
            uint32_t state;  /* enum board_state */
            uint32_t reason; /* enum life_reason */
            uint32_t first;  /* as told by the keeper */
            uint32_t reactors;
            uint32_t https_port; /* as clients see it, for redirects */
            uint32_t http_port;  /* the same; 0: none */
            struct msg_url url;  /* of this box, for links in mails */
            uint32_t sets_clock; /* 1: this box sets its clock by what the worker is told; else it is the host's business */
            uint64_t date_ms;    /* not before this is what it serves, now: since 1970 */
        } worker_start;
        struct {
            struct msg_uuid project;
            struct msg_environment environment;
            struct msg_api_key publishable; /* empty: shown before */
            struct msg_api_key secret;
        } worker_bootstrap;
        struct msg_setup worker_setup;
        uint32_t reason; /* MSG_WORKER_FAILED: enum life_reason */
        struct {
            uint32_t err;      /* enum err: could it be checked? */
            uint32_t findings; /* what is damaged */
        } worker_checked;
        struct {
            uint64_t request;
            uint32_t certificate; /* the one that the handshake shows, see cert.number */
            struct msg_transcript transcript;
        } sign_tls13;
        struct {
            uint64_t request;
            uint32_t certificate;
            uint8_t client_random[32];
            uint8_t server_random[32];
            uint32_t group; /* TLS NamedGroup */
            struct msg_point point;
        } sign_tls12;
        struct {
            uint64_t request;
            uint32_t kind; /* enum msg_unlock_kind */
            struct msg_recovery text;
        } unlock;
        struct { /* the claims are built by the keeper, from its own clock */
            uint64_t request;
            struct msg_uuid environment_id; /* whose key signs */
            struct msg_uuid project;
            struct msg_environment environment;
            struct msg_uuid user;
            struct msg_uuid session;
            uint32_t access_s; /* how long it lives, from now */
            uint32_t refresh_s;
        } token_sign;
        struct {
            uint64_t request;
            uint32_t err; /* enum err */
            uint64_t issued_s;
            struct msg_token access;
            struct msg_token refresh;
        } token_signed;
        struct {
            uint64_t request;
            uint32_t version; /* of the pepper; 0: the newest */
            uint8_t digest[MSG_DIGEST_BYTES];
        } pepper;
        struct {
            uint64_t request;
            uint32_t err; /* enum err */
            uint32_t version;
            uint8_t mac[MSG_DIGEST_BYTES];
        } peppered;
        struct msg_uuid token_environment; /* MSG_TOKEN_KEYS, _DROP, _ROTATE, _USE; _NEXT: empty for the first */
        struct {
            struct msg_uuid environment;
            uint8_t point[MSG_POINT_BYTES]; /* the public key of the version */
        } token_retire;
        struct {
            struct msg_uuid environment; /* empty: no more */
            struct msg_points points;    /* public keys, the newest first */
        } token_public;
        struct {
            uint64_t request;
            uint32_t err; /* enum err */
            struct msg_signature signature;
        } signature;
        struct {
            uint64_t request;
            uint32_t err; /* enum err */
        } unlocked;
        struct {
            uint32_t table;
            struct msg_wrapped wrapped; /* empty in MSG_KEY_NEW */
        } key_request;
        struct {
            uint8_t key[MSG_KEY_BYTES]; /* zero in the answer to MSG_KEY_REWRAP */
            struct msg_wrapped wrapped;
        } key;
        struct {
            uint32_t err;     /* enum err */
            uint32_t pending; /* MSG_ROTATE_PENDING: 1 if a rotation was cut off */
        } done;
        struct {
            uint32_t number; /* each certificate of a keeper has its own, growing */
            struct msg_leaf leaf;
        } cert;
        struct {
            uint8_t current_name[MSG_TICKET_NAME_BYTES];
            uint8_t current_key[MSG_KEY_BYTES];
            uint32_t has_previous;
            uint8_t previous_name[MSG_TICKET_NAME_BYTES];
            uint8_t previous_key[MSG_KEY_BYTES];
        } tickets;
        struct {
            uint32_t list; /* each list of a worker has its own number, growing from 1 */
            uint32_t index;
            uint32_t count;
            uint32_t kind; /* enum outbound_kind */
            uint32_t tls;  /* enum outbound_tls */
            uint32_t port;
            uint32_t ca_bytes;
            struct msg_name host;
        } destination;
        struct {
            uint64_t unix_ns; /* since 1970, at the next */
            uint64_t at_ns;   /* of the clock since boot */
            uint32_t authenticated; /* 1: who told it has proved to be the one that the settings name */
            struct msg_name source;
        } worker_time;
        struct msg_part part; /* MSG_WORKER_DESTINATION_CA, MSG_COURIER_DESTINATION_CA */
        uint32_t list;        /* MSG_WORKER_COURIER */
        struct {
            uint64_t job;
            uint32_t destination; /* its index in the list */
            uint32_t bytes;       /* of the text, which follows */
            struct msg_mailbox from;
            struct msg_mailbox to;
            struct msg_user user;
            struct msg_password password;
        } job_mail;
        struct {
            uint64_t job;
            uint32_t destination;
            uint32_t bytes;  /* of the body, which follows */
            uint32_t method; /* enum outbound_method */
            struct msg_path path;
            struct msg_authorization authorization;
        } job_fetch;
        struct {
            uint64_t job;
            struct msg_part bytes;
        } job_part; /* also MSG_JOB_ANSWER */
        struct {
            uint64_t job;
            uint32_t result; /* enum outbound_result */
            uint32_t stage;  /* enum outbound_stage */
            uint32_t status;
        } job_done;
        struct {
            uint64_t number; /* of the question, growing */
            struct msg_plan plan;
        } worker_plan;
        struct {
            uint64_t number;
            uint32_t err; /* enum err: of vault_plan_take() and measured_plan(); ERR_LIMIT, ERR_STATE: it was not asked */
        } worker_planned;
        struct {
            uint64_t job; /* which is under way, and for that server */
            uint32_t kind; /* enum msg_reach_kind */
            uint32_t port;
            struct msg_name host;
        } job_reach;
        uint32_t courier_start; /* 1: the worker connects */
        struct {
            uint64_t job;
            uint32_t destination;
        } job_time;
        struct {
            uint64_t job;
            uint64_t unix_ns; /* this and the rest: struct outbound_reading */
            uint64_t at_ns;
            uint64_t delay_ns;
            uint64_t distance_ns;
            uint32_t stratum;
        } job_reading;
    } as;
};

void msg_wipe(struct msg *msg);
#define SCOPED_MSG SCOPED(msg_wipe)

#define MSG_NEW(type_) ((struct msg){.type = (type_), .fd = -1})

/* Fills a bounded text from bytes; ERR_RANGE if they do not fit. For any of the MSG_TEXT structs. */
#define MSG_SET(out_text, bytes) msg_set((out_text)->data, sizeof (out_text)->data, &(out_text)->len, (bytes))
enum err msg_set(uint8_t *out_data, size_t capacity, uint32_t *out_len, struct span bytes) MUST_USE;

/* A view of a bounded text. */
#define MSG_VIEW(text) span_of((text)->data, (text)->len)

struct msg_channel;

/* Makes a channel over one end of a channel_pair (hal/process.h). The descriptor is taken, and closed by
 * msg_channel_free; on failure the caller keeps it. Whether calls wait is a property of the descriptor. A channel
 * belongs to one thread. ERR_NO_MEMORY. */
enum err msg_channel_new(int take_fd, enum msg_channel_kind kind, enum msg_end end,
                         struct msg_channel **out_channel) MUST_USE;
void msg_channel_free(struct msg_channel *channel); /* NULL is fine */
int msg_channel_fd(const struct msg_channel *channel);

static inline void msg_channel_free_scoped(struct msg_channel **channel)
{
    msg_channel_free(*channel);
}
#define SCOPED_CHANNEL SCOPED(msg_channel_free_scoped)

/* Sends a message. ERR_AGAIN: the channel is full (never on a waiting descriptor); ERR_CLOSED: the other end is gone;
 * ERR_BUG: the table does not let this end send it, or a field is out of range. */
enum err msg_send(struct msg_channel *channel, const struct msg *msg) MUST_USE;

/* Receives a message in the given state.
 * ERR_AGAIN: none there; ERR_TIMEOUT: none came in the channel's time; ERR_CLOSED: the other end is gone;
 * ERR_MALFORMED: unknown type, wrong size, channel or direction, a field out of range, a descriptor missing or too many;
 * ERR_STATE: not legal in this state. After the last two the caller ends the sender. Descriptors of a refused message
 * are closed. */
enum err msg_recv(struct msg_channel *channel, enum msg_state state, struct msg *out_msg) MUST_USE;

/* Bytes on the wire. */
size_t msg_size(enum msg_type type);

#endif
