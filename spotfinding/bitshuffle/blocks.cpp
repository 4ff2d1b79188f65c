#include "blocks.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <stdexcept>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spotfinding {

namespace {

/// Byte i of the argument is row i of 8 x 8 bits; the answer has rows and columns exchanged
/// (H. S. Warren, Hacker's Delight, 7-3: exchange 1x1, 2x2, 4x4 blocks across the diagonal).
inline uint64_t transposed(uint64_t x) {
    uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAu;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCu;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0u;
    return x ^ t ^ (t << 28);
}

/// The same for the bytes `first`.. of every plane.
void transpose_from(size_t first, const uint8_t* planes, uint8_t* target, size_t pixels, size_t width) {
    const size_t length = pixels / 8;  // of a plane
    for (size_t k = first; k < length; ++k)
        for (size_t j = 0; j < width; ++j) {
            uint64_t rows = 0;
            for (size_t bit = 0; bit < 8; ++bit) rows |= uint64_t{planes[(8 * j + bit) * length + k]} << (8 * bit);
            rows = transposed(rows);
            for (size_t i = 0; i < 8; ++i) target[(8 * k + i) * width + j] = static_cast<uint8_t>(rows >> (8 * i));
        }
}

constexpr const char* kTooShort = "the bytes end too early";
constexpr const char* kDamaged = "a block is damaged";

inline uint32_t big_endian(const uint8_t* p) {
    return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

}  // namespace

void transpose_none(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width) {
    std::memcpy(target, planes, pixels * width);
}

void transpose_scalar(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width) {
    transpose_from(0, planes, target, pixels, width);
}

#if defined(__x86_64__)

namespace {

#define AVX2 __attribute__((target("avx2"), always_inline)) inline

/// Exchange the bits of a that `mask << shift` selects with those of b that `mask` selects.
AVX2 void exchange(__m256i& a, __m256i& b, int shift, uint8_t mask) {
    const __m256i selected = _mm256_set1_epi8(static_cast<char>(mask));
    const __m256i t = _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi16(a, shift), b), selected);
    b = _mm256_xor_si256(b, t);
    a = _mm256_xor_si256(a, _mm256_slli_epi16(t, shift));
}

/// 32 bytes of each of 8 planes -> the 8 bytes of 8 pixels, 32 times. In each half of 128 bits of `v[i]` are two of
/// these, 2 i and 2 i + 1; the upper halves belong to the second 16 bytes of the planes.
AVX2 void pixels_of(const uint8_t* planes, size_t length, __m256i v[8]) {
    __m256i any = _mm256_setzero_si256();
    for (int bit = 0; bit < 8; ++bit) {
        v[bit] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(planes + bit * length));
        any = _mm256_or_si256(any, v[bit]);
    }
    if (_mm256_testz_si256(any, any)) return;  // the upper bytes of most pixels: all zero, and so is v
    for (int i = 0; i < 8; i += 2) exchange(v[i], v[i + 1], 1, 0x55);
    for (int i : {0, 1, 4, 5}) exchange(v[i], v[i + 2], 2, 0x33);
    for (int i = 0; i < 4; ++i) exchange(v[i], v[i + 4], 4, 0x0F);
    // byte k of v[i] is now of pixel 8 k + i: bring pixels 8 k .. 8 k + 7 together
    __m256i pairs[8], fours[8];
    for (int i = 0; i < 4; ++i) {
        pairs[i] = _mm256_unpacklo_epi8(v[2 * i], v[2 * i + 1]);
        pairs[4 + i] = _mm256_unpackhi_epi8(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 4; ++i) {
        fours[2 * i] = _mm256_unpacklo_epi16(pairs[2 * i], pairs[2 * i + 1]);
        fours[2 * i + 1] = _mm256_unpackhi_epi16(pairs[2 * i], pairs[2 * i + 1]);
    }
    for (int i : {0, 1}) {
        v[4 * i + 0] = _mm256_unpacklo_epi32(fours[4 * i], fours[4 * i + 2]);
        v[4 * i + 1] = _mm256_unpackhi_epi32(fours[4 * i], fours[4 * i + 2]);
        v[4 * i + 2] = _mm256_unpacklo_epi32(fours[4 * i + 1], fours[4 * i + 3]);
        v[4 * i + 3] = _mm256_unpackhi_epi32(fours[4 * i + 1], fours[4 * i + 3]);
    }
}

/// The two halves of v, `apart` bytes apart.
AVX2 void store(uint8_t* target, size_t apart, __m256i v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target), _mm256_castsi256_si128(v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target + apart), _mm256_extracti128_si256(v, 1));
}

template <size_t width>
AVX2 void group(const uint8_t* planes, size_t length, uint8_t* target) {
    constexpr size_t apart = 16 * 8 * width;  // 16 bytes of a plane are 128 pixels
    __m256i v[width][8];
    for (size_t j = 0; j < width; ++j) pixels_of(planes + 8 * j * length, length, v[j]);
    for (size_t i = 0; i < 8; ++i) {
        uint8_t* to = target + 16 * width * i;
        if constexpr (width == 1) {
            store(to, apart, v[0][i]);
        } else if constexpr (width == 2) {
            store(to, apart, _mm256_unpacklo_epi8(v[0][i], v[1][i]));
            store(to + 16, apart, _mm256_unpackhi_epi8(v[0][i], v[1][i]));
        } else {
            const __m256i lower[] = {_mm256_unpacklo_epi8(v[0][i], v[1][i]), _mm256_unpackhi_epi8(v[0][i], v[1][i])};
            const __m256i upper[] = {_mm256_unpacklo_epi8(v[2][i], v[3][i]), _mm256_unpackhi_epi8(v[2][i], v[3][i])};
            for (int k : {0, 1}) {
                store(to + 32 * k, apart, _mm256_unpacklo_epi16(lower[k], upper[k]));
                store(to + 32 * k + 16, apart, _mm256_unpackhi_epi16(lower[k], upper[k]));
            }
        }
    }
}

template <size_t width>
__attribute__((target("avx2"))) void groups(const uint8_t* planes, uint8_t* target, size_t pixels) {
    const size_t length = pixels / 8;
    size_t k = 0;
    for (; k + 32 <= length; k += 32) group<width>(planes + k, length, target + 8 * width * k);
    transpose_from(k, planes, target, pixels, width);
}

}  // namespace

void transpose_avx2(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width) {
    switch (width) {
        case 1: return groups<1>(planes, target, pixels);
        case 2: return groups<2>(planes, target, pixels);
        case 4: return groups<4>(planes, target, pixels);
        default: return transpose_scalar(planes, target, pixels, width);
    }
}

bool has_avx2() { return __builtin_cpu_supports("avx2"); }

#else

void transpose_avx2(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width) {
    transpose_scalar(planes, target, pixels, width);
}

bool has_avx2() { return false; }

#endif

void check_block(size_t block, size_t width) {
    if (width == 0 || width > kMostBytes / 8 || block == 0 || block > kMostBytes || block % (8 * width) != 0)
        throw std::invalid_argument("a block must hold a multiple of 8 pixels");
}

Transpose best_transpose() { return has_avx2() ? transpose_avx2 : transpose_scalar; }

Blocks::Blocks(Lz4 lz4, Transpose transpose, const uint8_t* source, size_t size, size_t image_size, size_t block,
               size_t width)
    : lz4_(lz4),
      transpose_(transpose),
      source_(source),
      size_(size),
      left_(image_size),
      block_(block),
      width_(width),
      planes_(std::min(block, image_size)) {
    check_end();
}

void Blocks::check_end() const {
    if (left_ == 0 && size_ != 0) throw std::invalid_argument("bytes are left over");
}

size_t Blocks::next() const {
    const size_t eight = 8 * width_;
    return left_ >= block_ ? block_ : left_ >= eight ? left_ / eight * eight : left_;
}

void Blocks::undo_next(uint8_t* target) {
    const size_t bytes = next();
    if (bytes < 8 * width_) {  // up to 7 pixels, as they are
        if (size_ < bytes) throw std::invalid_argument(kTooShort);
        std::memcpy(target, source_, bytes);
        source_ += bytes, size_ -= bytes;
    } else {
        if (size_ < 4) throw std::invalid_argument(kTooShort);
        const size_t stored = big_endian(source_);
        if (stored > size_ - 4) throw std::invalid_argument(kTooShort);
        if (stored > INT_MAX) throw std::invalid_argument(kDamaged);
        const int got = lz4_(reinterpret_cast<const char*>(source_ + 4), reinterpret_cast<char*>(planes_.data()),
                             static_cast<int>(stored), static_cast<int>(bytes));
        if (got < 0 || static_cast<size_t>(got) != bytes) throw std::invalid_argument(kDamaged);
        transpose_(planes_.data(), target, bytes / width_, width_);
        source_ += 4 + stored, size_ -= 4 + stored;
    }
    left_ -= bytes;
    check_end();
}

}  // namespace spotfinding
