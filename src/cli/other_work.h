// What else this machine does, which the threads of one program wait for.
#pragma once

#include <string>

namespace longhaul::cli {

// Where other programs leave fewer cores than there are threads, says so, and which `setting` ("--threads ") to change:
// threads that wait for one another at every step wait for the slowest, and two can be ten times slower than one.
void tell_of_other_work(int threads, const std::string& setting);

}  // namespace longhaul::cli
