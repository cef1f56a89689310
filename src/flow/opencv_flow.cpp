/* SPDX-License-Identifier: Apache-2.0 */
#include <cstring>
#include <exception>
#include <new>

#include <opencv2/core.hpp>
#include <opencv2/video/tracking.hpp>

extern "C" {
#include "flow/opencv_flow.h"
}

namespace
{

cv::Mat gray_view(const uint8_t *gray, int H, int W)
{
    /* OpenCV has no read-only matrix; its estimators do not write to their inputs. */
    return cv::Mat(H, W, CV_8UC1, const_cast<uint8_t *>(gray));
}

/* Runs an estimator and copies its [H][W][2] answer; exceptions end here. */
template <typename Estimator>
aosa_status run(const char *name, int H, int W, float *d, const Estimator &estimate)
{
    try {
        cv::setNumThreads(1);
        /* Not the caller's memory: DIS takes a matrix of the right size as its first guess. */
        cv::Mat flow;
        estimate(flow);
        if (flow.type() != CV_32FC2 || flow.rows != H || flow.cols != W)
            return ao_fail(AOSA_ERR_INTERNAL, "OpenCV %s: %d x %d values for %d x %d pixels", name,
                           flow.rows, flow.cols, H, W);
        const size_t row = 2 * static_cast<size_t>(W);
        for (int y = 0; y < H; y++)
            std::memcpy(d + static_cast<size_t>(y) * row, flow.ptr<float>(y), row * sizeof *d);
        return AOSA_OK;
    } catch (const cv::Exception &error) {
        const bool memory = error.code == cv::Error::StsNoMem;
        return ao_fail(memory ? AOSA_ERR_NOMEM : AOSA_ERR_INTERNAL, "OpenCV %s: %s", name,
                       error.err.c_str());
    } catch (const std::bad_alloc &) {
        return ao_fail(AOSA_ERR_NOMEM, "OpenCV %s: no memory for %d x %d pixels", name, H, W);
    } catch (const std::exception &error) {
        return ao_fail(AOSA_ERR_INTERNAL, "OpenCV %s: %s", name, error.what());
    }
}

} // namespace

extern "C" const char *ao_flow_library(void)
{
    return "OpenCV " CV_VERSION;
}

extern "C" aosa_status ao_opencv_farneback(const uint8_t *src, const uint8_t *dst, int H, int W,
                                           const struct ao_flow_options *options, float *d)
{
    return run("farneback", H, W, d, [&](cv::Mat &flow) {
        cv::calcOpticalFlowFarneback(gray_view(src, H, W), gray_view(dst, H, W), flow,
                                     options->pyramid_scale, options->levels, options->window,
                                     options->iterations, options->poly_n, options->poly_sigma, 0);
    });
}

extern "C" aosa_status ao_opencv_dis(const uint8_t *src, const uint8_t *dst, int H, int W,
                                     int preset, float *d)
{
    return run("dis", H, W, d, [&](cv::Mat &flow) {
        cv::DISOpticalFlow::create(preset)->calc(gray_view(src, H, W), gray_view(dst, H, W), flow);
    });
}
