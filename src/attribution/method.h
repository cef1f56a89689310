/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ATTRIBUTION_METHOD_H
#define AO_ATTRIBUTION_METHOD_H

#include <stdbool.h>

#include "attribution/occluder.h"
#include "attribution/options.h"
#include "attribution/score.h"
#include "attribution/targets.h"
#include "core/json.h"
#include "data/flow_field.h"

/*
 * An attribution method: one file with `run` (and `passes`, where none of those there are counts
 * right), one row in methods.def. Rows may share both and tell themselves apart by
 * attribution->method. A method reads the upper half of
 * struct ao_attribution and fills the lower one; explain/ has prepared what the row says it needs,
 * and turns the maps into files. Methods know nothing of each other.
 */

enum ao_need {
    AO_NEEDS_SCORES = 1,   /* forward passes */
    AO_NEEDS_GRADIENT = 2, /* backward passes */
    AO_NEEDS_FEATURES = 4, /* a layer's values, --layer */
    AO_NEEDS_FLOW = 8,     /* optical flow, even where no mask follows it */
    AO_NEEDS_MASKS = 16,
};

struct ao_attribution;

/* What a run takes. */
struct ao_passes {
    int64_t forwards, backwards;
};

struct ao_method {
    const char *name, *family; /* occlusion, perturbation, gradient, cam, control */
    const char *mask;          /* mask generator where the user names none; NULL: no masks */
    unsigned needs;            /* enum ao_need */
    const char *options;       /* those of the group "method" that it reads, and of fill and seed:
                                  "steps baseline". Any other that the user gives is refused. */
    const char *summary, *source;
    aosa_status (*run)(struct ao_attribution *attribution);

    /*
     * For --dry-run: the passes that `run` would count for that many targets, before anything ran.
     * Work that depends on the scores (--adjust) is left out.
     */
    aosa_status (*passes)(const struct ao_attribution *attribution, int n_targets,
                          struct ao_passes *passes);
};

/* All rows of methods.def in order, *n of them. */
const struct ao_method *ao_methods(int *n);

/* Their names as the choices of an option, "aosa|osa|...", without the first separator. */
extern const char ao_method_words[];
#define AO_METHOD_CHOICES (ao_method_words + 1)

/* Whether the row's `options` name that one. */
bool ao_method_reads(const struct ao_method *method, const char *option);

/* The score that is explained unless the user names one: the logit for gradients and CAMs (spec D),
 * the probability for all others. */
enum ao_score_kind ao_method_score(const struct ao_method *method);

/* One target's answer. */
struct ao_map_result {
    struct ao_target target;
    double base;        /* score of the clip */
    double probability; /* softmax probability of target.a on the clip */
    float *map;         /* [T][H][W] raw and signed: high where the class is seen */
    double zero;        /* value of the map where the clip does not matter for the target */
    float *density;     /* [T][H][W] what --detail multiplies the map by; NULL: nothing */
    float *normalised;  /* the same for display, 0 to 255, 127.5 neutral */
    float *scores;      /* [M] score under each mask, exact or estimated; NULL without masks */
    double most, least; /* largest and smallest drop of the score under a mask; 0 without */
    json_t *extra;      /* what else the method tells, an object of result.json; or NULL */
};

struct ao_attribution {
    const struct ao_method *method;
    const struct aosa_model *model;
    const struct aosa_clip *clip;
    const struct ao_flow_field *flow;  /* NULL where neither method nor masks need it */
    const struct aosa_mask_set *masks; /* NULL unless AO_NEEDS_MASKS */
    const struct ao_fill *fill;        /* --fill */
    const char *target;                /* --target, checked but for what needs the outputs */
    enum ao_score_kind score;
    const struct ao_method_options *options;
    struct ao_occluder_options run; /* engine, backend, threads, batch */
    uint64_t seed;                  /* --seed */
    const struct ao_progress *progress;

    float *outputs; /* [classes] of the clip itself, allocated before `run` */
    struct ao_map_result *results;
    int n_results;
    struct ao_occluder *occluder; /* of exact occlusion, kept for what it cost; else NULL */
    struct ao_passes passes;      /* that were run */
    struct ao_program_memory memory;
    double seconds_prepare, seconds_run, seconds_map;
    bool stopped;      /* by its progress, and the maps are what was known until then */
    char warning[256]; /* one line for the user, "" for none */
};

/*
 * With the clip's outputs known: resolves the targets and allocates results with target, base,
 * probability, and a zeroed map and normalised for each. Called once by every method.
 * AOSA_ERR_ARGUMENT, AOSA_ERR_NOMEM.
 */
aosa_status ao_attribution_begin(struct ao_attribution *attribution);

/* Class outputs of the clip by one forward, for methods that need no gradient; then begins. */
aosa_status ao_attribution_forward(struct ao_attribution *attribution);

/*
 * effects[i] = score of row i of `outputs`, [n][classes], minus that of the clip. AOSA_ERR_NUMERIC
 * when one is no finite number, names it as mask first + i.
 */
aosa_status ao_attribution_effects(const struct ao_attribution *attribution,
                                   const struct ao_map_result *result, const float *outputs, int n,
                                   int first, double *effects);

/*
 * Finishes one target of a method with masks from the effect X_i = f(x m_i) - f(x) of every mask,
 * exact or estimated: scores, most, least, map and normalised (heat_map.h).
 *
 * @param effects  [M], finite.
 */
aosa_status ao_attribution_from_effects(const struct ao_attribution *attribution,
                                        const double *effects, struct ao_map_result *result);

/*
 * Display form of a map about its zero: 127.5 + 127.5 clip((A - zero) / scale, -1, 1) over the
 * whole clip, where `scale` is what all but one in AO_DISPLAY_CUT of the voxels' |A - zero| do not
 * exceed, or the largest where that is 0. A few voxels of a gradient are many times larger than all
 * others and would leave the rest grey (spec D, the display of STEPJ). 127.5 everywhere for zeros.
 */
void ao_attribution_normalise(const struct ao_attribution *attribution,
                              struct ao_map_result *result);
double ao_attribution_scale(const struct ao_attribution *attribution,
                            const struct ao_map_result *result);
#define AO_DISPLAY_CUT 1000

/* Whether a result is displayed in the authors' form (ao_heat_map_normalise), which reads as drops
 * of the score, and not by ao_attribution_normalise. */
bool ao_attribution_shows_drops(const struct ao_attribution *attribution,
                                const struct ao_map_result *result);

/* Frees what the lower half owns. */
void ao_attribution_fini(struct ao_attribution *attribution);

/* Counts of passes that several methods share: a forward; a forward and a backward for each target.
 */
aosa_status ao_passes_one_forward(const struct ao_attribution *attribution, int n_targets,
                                  struct ao_passes *passes);
aosa_status ao_passes_per_target(const struct ao_attribution *attribution, int n_targets,
                                 struct ao_passes *passes);

/* Those of every row; rows that share them declare them again. */
#define METHOD(run, passes, ...)                                                            \
    aosa_status ao_run_##run(struct ao_attribution *attribution);                           \
    aosa_status ao_passes_##passes(const struct ao_attribution *attribution, int n_targets, \
                                   struct ao_passes *count);
#include "attribution/methods.def"
#undef METHOD

#endif
