/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/x86/x86.h"

static const struct ao_kernels c_kernels = {
#define AO_KERNEL(slot, parameters) .slot = ao_##slot##_c,
#include "kernels/kernels.def"
#undef AO_KERNEL
};

static enum ao_isa limit = AO_ISA_AVX512;

const char *ao_isa_name(enum ao_isa isa)
{
    return isa == AO_ISA_AVX512 ? "avx512" : isa == AO_ISA_AVX2 ? "avx2" : "c";
}

bool ao_isa_parse(const char *name, enum ao_isa *isa)
{
    for (int i = AO_ISA_C; i <= AO_ISA_AVX512; i++)
        if (strcmp(name, ao_isa_name((enum ao_isa)i)) == 0) {
            *isa = (enum ao_isa)i;
            return true;
        }
    return false;
}

const char *ao_isa_asked(void)
{
    return getenv("AOSA_ISA");
}

enum ao_isa ao_kernels_isa(void)
{
    enum ao_isa most = limit, asked;
    const char *name = ao_isa_asked();
    if (name && ao_isa_parse(name, &asked) && asked < most)
        most = asked;
#ifdef AO_HAVE_X86
    if (most >= AO_ISA_AVX512 && __builtin_cpu_supports("avx512f"))
        return AO_ISA_AVX512;
    if (most >= AO_ISA_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return AO_ISA_AVX2;
#endif
    return AO_ISA_C;
}

const struct ao_kernels *ao_kernels_of(enum ao_isa isa)
{
#ifdef AO_HAVE_X86
    if (isa == AO_ISA_AVX512)
        return &ao_kernels_avx512;
    if (isa == AO_ISA_AVX2)
        return &ao_kernels_avx2;
#endif
    (void)isa;
    return &c_kernels;
}

const struct ao_kernels *ao_kernels(void)
{
    return ao_kernels_of(ao_kernels_isa());
}

void ao_kernels_limit(enum ao_isa isa)
{
    limit = isa;
}
