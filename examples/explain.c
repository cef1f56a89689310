/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortest way from a model and a video to a heat map.
 *
 *     cc explain.c $(pkg-config --cflags --libs aosa) -o explain
 *     ./explain model.onnx clip.avi out
 */
#include <stdio.h>

#include <aosa/aosa.h>

static aosa_status explain(aosa_settings *settings, const char *model_path, const char *clip_path,
                           const char *folder)
{
    aosa_model *model = NULL;
    aosa_clip *clip = NULL;
    aosa_explanation *why = NULL;
    aosa_status status = aosa_model_open(model_path, settings, &model);
    if (status == AOSA_OK)
        status = aosa_clip_open(clip_path, model, settings, 0, &clip);
    if (status == AOSA_OK)
        status = aosa_explain(model, clip, settings, NULL, NULL, &why);
    if (status == AOSA_OK)
        status = aosa_explanation_save(why, folder, NULL, true);
    if (status == AOSA_OK)
        printf("f(x) = %g; look at %s/grid.png\n", aosa_explanation_base(why, 0), folder);
    /* In the order of who borrows whom. */
    aosa_explanation_destroy(&why);
    aosa_clip_close(&clip);
    aosa_model_close(&model);
    return status;
}

int main(int argc, char **argv)
{
    aosa_settings *settings = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: explain MODEL.onnx CLIP FOLDER\n");
        return 2;
    }
    aosa_status status = aosa_settings_create(&settings);
    if (status == AOSA_OK)
        status = aosa_settings_set(settings, "stride", "16");
    if (status == AOSA_OK)
        status = explain(settings, argv[1], argv[2], argv[3]);
    if (status != AOSA_OK)
        fprintf(stderr, "%s\n", aosa_error_message());
    aosa_settings_destroy(&settings);
    return status == AOSA_OK ? 0 : 1;
}
