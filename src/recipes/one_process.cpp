// What one process can't do. Everything else about parallel layouts is checked by validate().
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/error.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

void require_one_process(const Recipe& recipe) {
  const FieldTable& table = fields<ParallelConfig>();
  std::vector<std::string> problems, remedies;
  for (const Field& field : table.rows) {
    const FieldValue value = field.get(&recipe.parallel), single = field.get(table.defaults);
    if (value == single) continue;
    problems.push_back(fmt::format("parallel.{} must be {} (it is {})", field.name, field.format(single),
                                   field.format(value)));
    remedies.push_back(fmt::format("parallel.{}={}", field.name, field.format(single)));
  }
  if (!problems.empty())
    throw UserError("this build trains on one process: {}. Add {} to train the model on one process",
                    fmt::join(problems, ", "), fmt::join(remedies, " "));
}

}  // namespace longhaul
