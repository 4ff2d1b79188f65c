#include "rows.h"

#include <algorithm>
#include <cmath>

namespace spotfinding {

namespace scalar {

template <typename T>
void sum_columns(const Band<T>& band, int first, int last, ColumnSums sums, Bright& bright) {
    for (int i = first; i <= last; ++i) sums.x[i] = sums.y[i] = sums.valid[i] = 0;
    for (int j = 0; j < band.count; ++j) {
        const T* row = band.row(j);
        const uint64_t* mask = band.bits(j);
        for (int i = first; i <= last; ++i) {
            if (T(row[i] - band.low) > band.span || Mask::masked(mask, i)) continue;
            int v = int(std::min<uint32_t>(row[i], uint32_t(band.brightest)));
            if (double(row[i]) > band.brightest) {
                bright.columns.push_back(i);
                if (j >= band.new_from) ++bright.seen;
                if (j >= band.new_from && double(row[i]) < kBig) bright.squares += double(row[i]) * double(row[i]);
            }
            sums.x[i] += v;
            sums.y[i] += v * v;
            ++sums.valid[i];
        }
    }
}

void screen(const Screen& s, ColumnSums sums, int first, int last, uint64_t* maybe, uint64_t* surely) {
    std::fill_n(maybe, (last - first) / 64 + 1, 0);
    std::fill_n(surely, (last - first) / 64 + 1, 0);
    for (int i = first; i <= last; ++i) {
        int x = 0, y = 0, m = 0;
        for (int k = i - s.kernel_fast; k <= i + s.kernel_fast; ++k) x += sums.x[k], y += sums.y[k], m += sums.valid[k];
        if (m < s.least) continue;
        const float offset = s.gain * (float(m - 1) + s.sigma * std::sqrt(float(m - 1)));
        const float left = float(y) * float(m), right = float(x) * (float(x) + offset);
        const uint64_t bit = uint64_t(1) << ((i - first) % 64);
        if (left > right * Screen::kMaybe) maybe[(i - first) / 64] |= bit;
        if (left > right * Screen::kSurely) surely[(i - first) / 64] |= bit;
    }
}

template <typename T>
void valid(const Band<T>& band, int first, int last, uint64_t* valid) {
    std::fill_n(valid, (last - first) / 64 + 1, 0);
    for (int i = first; i <= last; ++i) {
        const bool in_range = T(band.row(0)[i] - band.low) <= band.span;
        if (in_range && !Mask::masked(band.bits(0), i)) valid[(i - first) / 64] |= uint64_t(1) << ((i - first) % 64);
    }
}

}  // namespace scalar

#ifdef __x86_64__
namespace avx2 {
template <typename T>
RowFunctions<T> functions();
}
namespace avx512 {
template <typename T>
RowFunctions<T> functions();
}
#endif

bool available(InstructionSet set) {
#ifdef __x86_64__
    if (set == InstructionSet::avx2) return __builtin_cpu_supports("avx2");
#ifdef SPOTFINDING_EMULATE_AVX512
    if (set == InstructionSet::avx512) return __builtin_cpu_supports("avx2");
#endif
    if (set == InstructionSet::avx512) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    }
#endif
    return set == InstructionSet::scalar;
}

InstructionSet best_available() {
    for (const InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2}) {
        if (available(set)) return set;
    }
    return InstructionSet::scalar;
}

template <typename T>
RowFunctions<T> row_functions(InstructionSet set) {
#ifdef __x86_64__
    if (set == InstructionSet::avx2) return avx2::functions<T>();
    if (set == InstructionSet::avx512) return avx512::functions<T>();
#endif
    return {scalar::sum_columns<T>, scalar::screen, scalar::valid<T>, nullptr};
}

namespace scalar {
template void sum_columns(const Band<uint8_t>&, int, int, ColumnSums, Bright&);
template void sum_columns(const Band<uint16_t>&, int, int, ColumnSums, Bright&);
template void sum_columns(const Band<uint32_t>&, int, int, ColumnSums, Bright&);
}  // namespace scalar
template RowFunctions<uint8_t> row_functions(InstructionSet);
template RowFunctions<uint16_t> row_functions(InstructionSet);
template RowFunctions<uint32_t> row_functions(InstructionSet);

}  // namespace spotfinding
