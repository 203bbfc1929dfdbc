/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypto/keyring_file.c: whatever lies in the `keys` file, it is refused without an access outside it. The MAC would keep
 * every mutation from the parser behind it, so it is made right here, as only who has the root key could. */
#include <string.h>

#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "crypto/keyring.h"
#include "crypto/random.h"
#include "tests/fuzz/fuzz.h"

static struct random *random_once(void)
{
    static struct random *random;

    if (random == NULL) {
        FUZZ_CHECK(random_new(SPAN_NONE, &random) == ERR_OK);
    }
    return random;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t root_bytes[32] = {1, 2, 3};
    SCOPED_SECRET struct secret *root = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    SCOPED_KEYRING struct keyring *ring = NULL;
    SCOPED_BUF struct buf *file = NULL;
    SCOPED_BUF struct buf *again = NULL;
    uint8_t mac[SHA256_BYTES];

    fault_clear();
    if (size > KEYRING_FILE_MAX - sizeof(mac)) {
        return 0;
    }
    FUZZ_CHECK(secret_new_copy(span_array(root_bytes), &root) == ERR_OK);
    enum err got = keyring_open(root, random_once(), span_of(data, size), &ring);
    FUZZ_CHECK(got != ERR_OK && ring == NULL); /* nobody guesses a MAC */

    FUZZ_CHECK(hkdf_sha256(root, SPAN_NONE, span_lit("rowlock keys file"), SHA256_BYTES, &key) == ERR_OK);
    hmac_sha256(secret_reveal(key), span_of(data, size), mac);
    FUZZ_CHECK(buf_new(KEYRING_FILE_MAX, &file) == ERR_OK && buf_put(file, span_of(data, size)) == ERR_OK);
    FUZZ_CHECK(buf_put(file, span_array(mac)) == ERR_OK);
    got = keyring_open(root, random_once(), buf_all(file), &ring);

    FUZZ_CHECK((got == ERR_OK) == (ring != NULL));
    if (got == ERR_OK) { /* then it is empty: no entry opens that was not wrapped under this root */
        FUZZ_CHECK(keyring_count(ring) == 0);
        FUZZ_CHECK(buf_new(KEYRING_FILE_MAX, &again) == ERR_OK && keyring_write(ring, again) == ERR_OK);
        FUZZ_CHECK(span_equal(buf_all(again), buf_all(file)));
    }
    return 0;
}
