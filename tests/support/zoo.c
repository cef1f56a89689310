/* SPDX-License-Identifier: Apache-2.0 */
#include "support/zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/rng.h"

const char *zoo_shared(void)
{
    const char *folder = getenv("AOSA_SHARED");
    if (!folder || !*folder)
        folder = "../shared";
    if (ao_path_is_folder(folder))
        return folder;
    printf("skipped: no reference data in %s (set AOSA_SHARED)\n", folder);
    return NULL;
}

/* CRC-32 of zlib and IEEE 802.3, bit by bit. */
uint32_t zoo_crc32(const char *text)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (; *text; text++) {
        crc ^= (unsigned char)*text;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* Sum of four uniforms, centred and scaled to variance 1: term j of value i is number j n + i. */
struct bell {
    struct ao_rng term[4];
};

#define GOLDEN UINT64_C(0x9E3779B97F4A7C15)

static void bell_init(struct bell *bell, uint64_t seed, int64_t n)
{
    /* splitmix64 steps by GOLDEN, so number j n of the sequence starts at seed + j n GOLDEN. */
    for (uint64_t j = 0; j < 4; j++)
        ao_rng_init(&bell->term[j], seed + j * (uint64_t)n * GOLDEN);
}

static double bell_next(struct bell *bell)
{
    double sum = 0;
    for (int j = 0; j < 4; j++)
        sum += ao_rng_uniform(&bell->term[j]);
    return (sum - 2.0) * sqrt(3.0);
}

static aosa_status fill(void *user, const struct ao_onnx_model *model, const char *name,
                        const struct ao_shape *shape, float *values)
{
    json_t **specs = user;
    const char *text = ao_onnx_property(model, "zoo.fill");
    if (!*specs && text)
        *specs = json_loads(text, 0, NULL);
    double mean, std, lo, hi;
    if (json_unpack(json_object_get(*specs, name), "{s:F,s:F,s:F,s:F}", "mean", &mean, "std", &std,
                    "lo", &lo, "hi", &hi) != 0)
        return ao_fail(AOSA_ERR_FORMAT, "tensor '%s': no data, and zoo.fill does not describe it",
                       name);
    const int64_t n = ao_shape_count(shape);
    struct bell bell;
    bell_init(&bell, zoo_crc32(name), n);
    for (int64_t i = 0; i < n; i++) {
        const double value = mean + std * bell_next(&bell);
        values[i] = (float)(value < lo ? lo : value > hi ? hi : value);
    }
    return AOSA_OK;
}

aosa_status zoo_open(const char *name, struct ao_onnx_model **model)
{
    const char *shared = zoo_shared();
    if (!shared)
        return ao_fail(AOSA_ERR_INPUT, "no reference data");
    char path[1024];
    snprintf(path, sizeof path, "%s/zoo/%s.skeleton.onnx", shared, name);
    json_t *specs = NULL;
    const struct ao_onnx_options options = { .fill = fill, .fill_user = &specs };
    const aosa_status status = ao_onnx_open(path, &options, model);
    json_decref(specs);
    return status;
}

void zoo_input(int k, const char *name, int64_t n, float *values)
{
    char seed[4200];
    snprintf(seed, sizeof seed, "input%d:%s", k, name);
    struct bell bell;
    bell_init(&bell, zoo_crc32(seed), n);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)bell_next(&bell);
}
