// One tile of a tensor on the CPU, and the loops of a rule over it.
#pragma once

#include "core/prologue.h"
#include "core/rule_calls.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

// Memory to bring nearer while a tile is computed: the next tile of every array that is read.
struct Ahead {
  static constexpr int most = 8;
  int count = 0;
  const char* from[most];
  int bytesPerElement[most];

  FETTLE_INLINE void add(const void* base, int64_t first, int64_t bytes) {
    from[count] = static_cast<const char*>(base) + first * bytes;
    bytesPerElement[count++] = int(bytes);
  }
  FETTLE_INLINE void fetch(int64_t element) const {
    for (int k = 0; k < count; k++) __builtin_prefetch(from[k] + element * bytesPerElement[k]);
  }
};

// Floats of the parameter, gradient and states, in the caller's memory or in scratch.
struct Tile {
  float* p;
  const float* g;
  float* state[FETTLE_MAX_STATES];
  int64_t n;
};

// Runs update over a tile. Each vector of every array is loaded before the first store.
template <class R>
static void updateTile(const float* coefficients, const Prologue& prologue, const Tile& tile, const Ahead& ahead) {
  typename R::Coefficients c;
  memcpy(&c, coefficients, sizeof c);
  const Prologue pro = prologue;
  float* p = tile.p;
  const float* g = tile.g;
  float* s[FETTLE_MAX_STATES];
  for (int k = 0; k < FETTLE_MAX_STATES; k++) s[k] = tile.state[k];
  int64_t i = 0;
  for (; i + Vector::lanes <= tile.n; i += Vector::lanes) {
    Vector vp = Vector::load(p + i);
    const Vector vg = pro.apply(Vector::load(g + i));
    Vector vs[R::states + 1];
    for (int k = 0; k < R::states; k++) vs[k] = Vector::load(s[k] + i);
    ahead.fetch(i);
    R::update(c, vp, vg, vs);
    vp.store(p + i);
    for (int k = 0; k < R::states; k++) vs[k].store(s[k] + i);
  }
  for (; i < tile.n; i++) {
    float fs[R::states + 1];
    for (int k = 0; k < R::states; k++) fs[k] = s[k][i];
    R::update(c, p[i], pro.apply(g[i]), fs);
    for (int k = 0; k < R::states; k++) s[k][i] = fs[k];
  }
}

// Runs gather k over a tile and leaves the terms of each sum in a[] and b[]. Writes nothing else.
template <class R>
static void gatherTile(int k, const float* coefficients, const Prologue& prologue, const Tile& tile, float* const* a,
                       float* const* b) {
  if constexpr (R::gathers > 0) {
    typename R::Coefficients c;
    memcpy(&c, coefficients, sizeof c);
    int64_t i = 0;
    for (; i + Vector::lanes <= tile.n; i += Vector::lanes) {
      Vector vs[R::states + 1];
      for (int j = 0; j < R::states; j++) vs[j] = Vector::load(tile.state[j] + i);
      Terms<Vector> terms;
      R::gather(k, c, Vector::load(tile.p + i), prologue.apply(Vector::load(tile.g + i)), vs, terms);
      for (int j = 0; j < R::sums; j++) {
        terms.a[j].store(a[j] + i);
        terms.b[j].store(b[j] + i);
      }
    }
    for (; i < tile.n; i++) {
      float fs[R::states + 1];
      for (int j = 0; j < R::states; j++) fs[j] = tile.state[j][i];
      Terms<float> terms;
      R::gather(k, c, tile.p[i], prologue.apply(tile.g[i]), fs, terms);
      for (int j = 0; j < R::sums; j++) {
        a[j][i] = terms.a[j];
        b[j][i] = terms.b[j];
      }
    }
  }
}

// A rule as the driver sees it. Rules, formats and epilogues meet only through tiles, so they add and do not multiply.
struct RuleEntry {
  int states;
  int gathers;
  int sums;
  bool maximum;
  bool rowwise;
  void (*prepare)(const StepContext&, float*);
  void (*combine)(int, const StepContext&, const double*, float*);
  double (*score)(const StepContext&, const double*);
  void (*row)(int, const StepContext&, const float*, const Row&);
  void (*enterRow)(const float*, float*);
  void (*gather)(int, const float*, const Prologue&, const Tile&, float* const*, float* const*);
  void (*update)(const float*, const Prologue&, const Tile&, const Ahead&);
};

template <class R>
constexpr RuleEntry entryOf() {
  return {R::states,      R::gathers,    R::sums,     R::maximum,    R::rowwise,    prepareRule<R>,
          combineRule<R>, scoreRow<R>, combineRow<R>, enterRow<R>, gatherTile<R>, updateTile<R>};
}

}  // namespace FETTLE_TIER
}  // namespace fettle
