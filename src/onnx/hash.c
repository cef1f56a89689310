/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "core/alloc.h"
#include "onnx/onnx.h"

struct ao_onnx_hash {
    pthread_mutex_t lock;
    const void *bytes;
    size_t size;
    char text[AO_SHA256_TEXT]; /* empty: not computed yet */
};

struct ao_onnx_hash *ao_onnx_hash_create(const void *bytes, size_t size)
{
    struct ao_onnx_hash *hash = ao_alloc(1, sizeof *hash);
    if (!hash)
        return NULL;
    hash->bytes = bytes;
    hash->size = size;
    if (pthread_mutex_init(&hash->lock, NULL) == 0)
        return hash;
    ao_free(hash);
    return NULL;
}

void ao_onnx_hash_destroy(struct ao_onnx_hash **hash)
{
    if (*hash)
        pthread_mutex_destroy(&(*hash)->lock);
    ao_free(*hash);
    *hash = NULL;
}

const char *ao_onnx_hash_text(struct ao_onnx_hash *hash)
{
    pthread_mutex_lock(&hash->lock);
    if (!hash->text[0])
        ao_sha256(hash->bytes, hash->size, hash->text);
    pthread_mutex_unlock(&hash->lock);
    return hash->text;
}
