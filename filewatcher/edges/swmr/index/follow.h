// Files that are followed from look to look, and what is new told, with no Python in between. `reference.follow` says
// the same in Python.
#pragma once

#include <poll.h>
#include <time.h>

#include "tail.h"
#include "word.h"

namespace swmr {

// CLOCK_MONOTONIC, as time.monotonic: seconds.
inline double seconds_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Sleep until then; true = there is something to be read before.
inline bool woken(pollfd (&wakers)[2], double until) {
    for (;;) {
        const auto left = static_cast<int64_t>(1e9 * std::max(0.0, until - seconds_now()));
        const timespec wait{left / 1000000000, left % 1000000000};
        const int ready = ppoll(wakers, 2, &wait, nullptr);
        if (ready >= 0) return ready > 0;
        if (errno != EINTR) fail(errno);
    }
}

// See `reference.follow`.
inline py::tuple follow(const py::list& tails, const std::vector<int64_t>& files, int line, int hints, double begun,
                        double period, double until) {
    if (files.size() != tails.size()) throw py::value_error("as many numbers as tails, please");
    std::vector<Tail*> each;
    for (const auto& tail : tails) each.push_back(&tail.cast<Tail&>());
    pollfd wakers[2] = {{line, POLLIN, 0}, {hints, POLLIN, 0}};
    Word word;
    size_t looks = 0;
    double gap = 0;
    const char* end = "time";
    while (begun + period < until) {
        if (woken(wakers, begun + period)) break;
        const double now = seconds_now();
        gap = std::max(gap, now - begun);
        begun = now;
        ++looks;
        bool other = false, news = false;
        word.clear();
        for (size_t place = 0; place < files.size(); ++place) {
            const auto* found = each[place]->look();
            if (found == nullptr) {
                other = true;
            } else if (!found->empty()) {
                news = true;
                word.add(files[place], *found);
            }
        }
        if (news) word.send_to(line);
        if (other || !news) {
            end = other ? "other" : "nothing";
            break;
        }
    }
    return py::make_tuple(end, looks, begun, gap);
}

}  // namespace swmr
