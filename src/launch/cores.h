// Which cores a rank gets.
#pragma once

#include <vector>

namespace longhaul::launch {

std::vector<int> usable_cores();  // those that this process may run on

// A block of cores of its own for each rank, or all cores for every rank where there are fewer than ranks.
std::vector<int> cores_of_rank(const std::vector<int>& cores, int rank, int ranks);

void pin_to(const std::vector<int>& cores);

}  // namespace longhaul::launch
