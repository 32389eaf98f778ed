// What estimators need besides elementwise work: ranges, centring, small convolutions and products. The Java twin is
// org.fettle.internal.kernels.LayerTwins.
#pragma once

#include "kernels/estimators/chunks.h"

namespace fettle {
namespace FETTLE_TIER {

// The smallest and the largest value of a chunk of 4,096. array 0: values, 1: two per unit; integer 0: elements.
struct CodeRange {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* x = arrayOf<const float>(call, 0);
    const int64_t end = smaller(call.integer[0], (unit + 1) * rowChunk);
    float low = x[unit * rowChunk], high = low;
    for (int64_t i = unit * rowChunk; i < end; i++) {
      low = x[i] < low ? x[i] : low;
      high = x[i] > high ? x[i] : high;
    }
    arrayOf<float>(call, 1)[2 * unit] = low;
    arrayOf<float>(call, 1)[2 * unit + 1] = high;
  }
};

// Subtracts the mean over the channels and limits to [-1, 1]. A unit is a filter: array 0, channels x places.
// integer 0: channels, 1: places.
struct CenterChannels {
  FETTLE_FN void unit(const fettle_call& call, int64_t filter) {
    const int64_t channels = call.integer[0], places = call.integer[1];
    float* w = arrayOf<float>(call, 0) + filter * channels * places;
    for (int64_t p = 0; p < places; p++) {
      double sum = 0.0;
      for (int64_t c = 0; c < channels; c++) sum += double(w[c * places + p]);
      const float mean = float(sum / double(channels));
      for (int64_t c = 0; c < channels; c++) w[c * places + p] = clamp(w[c * places + p] - mean, 1.0f);
    }
  }
};

// Extents of a convolution of stride 1 without padding: integers 0 to 6.
struct ConvolutionSize {
  int64_t channels, height, width, filters, kernelHeight, kernelWidth, outHeight, outWidth;

  FETTLE_FN ConvolutionSize of(const fettle_call& call) {
    const int64_t* n = call.integer;
    return {n[0], n[1], n[2], n[3], n[4], n[5], n[1] - n[4] + 1, n[2] - n[5] + 1};
  }
};

// arrays: x [samples, channels, height, width], w [filters, channels, kernel], y. A unit is a plane of y.
struct Convolution {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const ConvolutionSize s = ConvolutionSize::of(call);
    const int64_t sample = unit / s.filters, filter = unit - sample * s.filters;
    const int64_t plane = s.height * s.width, window = s.kernelHeight * s.kernelWidth;
    const float* x = arrayOf<const float>(call, 0) + sample * s.channels * plane;
    const float* w = arrayOf<const float>(call, 1) + filter * s.channels * window;
    float* y = arrayOf<float>(call, 2) + unit * s.outHeight * s.outWidth;
    for (int64_t i = 0; i < s.outHeight; i++) {
      for (int64_t j = 0; j < s.outWidth; j++) {
        double sum = 0.0;
        for (int64_t c = 0; c < s.channels; c++) {
          for (int64_t a = 0; a < s.kernelHeight; a++) {
            for (int64_t b = 0; b < s.kernelWidth; b++) {
              sum += double(x[c * plane + (i + a) * s.width + j + b]) * double(w[c * window + a * s.kernelWidth + b]);
            }
          }
        }
        y[i * s.outWidth + j] = float(sum);
      }
    }
  }
};

// arrays: g [samples, filters, out], w, dx. A unit is a plane of dx.
struct ConvolutionInputGradient {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const ConvolutionSize s = ConvolutionSize::of(call);
    const int64_t sample = unit / s.channels, channel = unit - sample * s.channels;
    const int64_t plane = s.outHeight * s.outWidth, window = s.kernelHeight * s.kernelWidth;
    const float* g = arrayOf<const float>(call, 0) + sample * s.filters * plane;
    const float* w = arrayOf<const float>(call, 1) + channel * window;
    float* dx = arrayOf<float>(call, 2) + unit * s.height * s.width;
    for (int64_t i = 0; i < s.height; i++) {
      for (int64_t j = 0; j < s.width; j++) {
        double sum = 0.0;
        for (int64_t o = 0; o < s.filters; o++) {
          for (int64_t a = 0; a < s.kernelHeight; a++) {
            for (int64_t b = 0; b < s.kernelWidth; b++) {
              const int64_t y = i - a, z = j - b;
              if (y < 0 || z < 0 || y >= s.outHeight || z >= s.outWidth) continue;
              sum += double(g[o * plane + y * s.outWidth + z]) *
                     double(w[o * s.channels * window + a * s.kernelWidth + b]);
            }
          }
        }
        dx[i * s.width + j] = float(sum);
      }
    }
  }
};

// arrays: g, x, dw. A unit is a filter and a channel; integer 6: samples.
struct ConvolutionWeightGradient {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const ConvolutionSize s = ConvolutionSize::of(call);
    const int64_t filter = unit / s.channels, channel = unit - filter * s.channels;
    const int64_t plane = s.outHeight * s.outWidth;
    float* dw = arrayOf<float>(call, 2) + unit * s.kernelHeight * s.kernelWidth;
    for (int64_t a = 0; a < s.kernelHeight; a++) {
      for (int64_t b = 0; b < s.kernelWidth; b++) {
        double sum = 0.0;
        for (int64_t n = 0; n < call.integer[6]; n++) {
          const float* g = arrayOf<const float>(call, 0) + (n * s.filters + filter) * plane;
          const float* x = arrayOf<const float>(call, 1) + (n * s.channels + channel) * s.height * s.width;
          for (int64_t i = 0; i < s.outHeight; i++) {
            for (int64_t j = 0; j < s.outWidth; j++) {
              sum += double(g[i * s.outWidth + j]) * double(x[(i + a) * s.width + j + b]);
            }
          }
        }
        dw[a * s.kernelWidth + b] = float(sum);
      }
    }
  }
};

// C_h = A_h B_h for every head, accumulated in double in order of the inner index. A unit is a row of C.
// arrays: A, B, C. integers: rows, inner, columns of one head, then strides: A's head, row, inner; B's head, inner, column.
struct HeadProduct {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t* n = call.integer;
    const int64_t head = unit / n[0], row = unit - head * n[0];
    const float* a = arrayOf<const float>(call, 0) + head * n[3] + row * n[4];
    const float* b = arrayOf<const float>(call, 1) + head * n[6];
    float* c = arrayOf<float>(call, 2) + unit * n[2];
    constexpr int tile = 64;
    for (int64_t at = 0; at < n[2]; at += tile) {
      const int64_t count = smaller(tile, n[2] - at);
      double sum[tile] = {};
      for (int64_t k = 0; k < n[1]; k++) {
        const double factor = double(a[k * n[5]]);
        const float* line = b + k * n[7] + at * n[8];
        for (int64_t j = 0; j < count; j++) sum[j] += factor * double(line[j * n[8]]);
      }
      for (int64_t j = 0; j < count; j++) c[at + j] = float(sum[j]);
    }
  }
};

// GAQAT over a window (arXiv:2412.05551, our formulas). A unit is a scale. arrays: task and smoothness gradients
// [window, scales], disorder and conflict F32, freeze I8 where disorder < number 0. integers: window, scales.
struct GradientConflict {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t window = call.integer[0], scales = call.integer[1];
    const float* task = arrayOf<const float>(call, 0) + unit;
    const float* smooth = arrayOf<const float>(call, 1) + unit;
    double flips = 0.0, conflicts = 0.0;
    float before = sign(task[0]);
    for (int64_t t = 0; t < window; t++) {
      const float now = sign(task[t * scales]);
      flips += double(absolute(now - before)) / 2.0;
      conflicts += double(absolute(now - sign(smooth[t * scales]))) / 2.0;
      before = now;
    }
    const double disorder = window > 1 ? flips / double(window - 1) : 0.0;
    arrayOf<float>(call, 2)[unit] = float(disorder);
    arrayOf<float>(call, 3)[unit] = float(conflicts / double(window));
    arrayOf<int8_t>(call, 4)[unit] = disorder < call.number[0] ? 1 : 0;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
