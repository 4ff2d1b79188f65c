// Strong pixels by DIALS's own summed-area tables: for every image, if slowly.
#pragma once

#include <cmath>
#include <vector>

#include "frame.h"

namespace spotfinding {

/// The last rows of a summed-area table, enough for boxes of `kernel` rows on either side.
///
/// Where counts are no whole numbers, or sums of squares exceed 2^53, tables round. The additions are made in the order
/// of DIALS (local.h, compute_sat), over the whole image, so that ours round to the same.
class RollingTable {
public:
    RollingTable(int height, int width, int kernel_slow, int kernel_fast);

    void restart() { rows_ = 0; }
    int rows() const { return rows_; }
    int last_row(int row) const { return std::min(row + slow_, height_ - 1); }  ///< needed for boxes of `row`
    void add_row(const double* counts, const uint8_t* use);
    Sums box(int row, int column) const;

private:
    struct Cell {
        int m;
        double x, y;
    };
    const Cell* cells(int row) const { return ring_.data() + size_t(row % depth_) * width_; }

    int height_, width_, slow_, fast_, depth_, rows_ = 0;
    std::vector<Cell> ring_;
};

/// Thresholds images of one size by tables.
class TableThreshold {
public:
    TableThreshold(int height, int width, const Parameters& parameters);

    template <typename T>
    void find(const Frame<T>& frame, StrongPixels& strong);

private:
    template <typename T>
    void load_row(const Frame<T>& frame, int row);
    template <typename T>
    void dispersion(const Frame<T>& frame, StrongPixels& strong);
    template <typename T>
    void foreground(const Frame<T>& frame);
    template <typename T>
    void above_background(const Frame<T>& frame, StrongPixels& strong);
    void erode();
    double spread(double m) const { return std::sqrt(2 * (m - 1)); }

    int height_, width_;
    Parameters p_;
    RollingTable near_, wide_;
    std::vector<double> counts_;          ///< of one row, 0 where not valid
    std::vector<uint8_t> valid_;          ///< of one row
    std::vector<uint8_t> foreground_;     ///< of the image
    std::vector<uint8_t> horizontal_;     ///< eroded along rows only
    std::vector<int> last_background_;    ///< of each column, while eroding
};

}  // namespace spotfinding
