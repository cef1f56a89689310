/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "dataset/layout.h"

bool ao_subset_parse(const char *word, enum ao_subset *subset)
{
    static const struct {
        const char *word;
        enum ao_subset subset;
    } words[] = {
        { "train", AO_SUBSET_TRAIN },  { "training", AO_SUBSET_TRAIN },
        { "val", AO_SUBSET_VAL },      { "validate", AO_SUBSET_VAL },
        { "test", AO_SUBSET_TEST },    { "validation", AO_SUBSET_VAL },
        { "testing", AO_SUBSET_TEST },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(word, words[i].word)) {
            *subset = words[i].subset;
            return true;
        }
    return false;
}

aosa_status ao_subset_choose(const struct ao_dataset_options *options, enum ao_subset initial,
                             enum ao_subset *subset)
{
    *subset = initial;
    if (options->subset && !ao_subset_parse(options->subset, subset))
        return ao_fail(AOSA_ERR_ARGUMENT, "--subset %s: there are train, val and test",
                       options->subset);
    return AOSA_OK;
}
