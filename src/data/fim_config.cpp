#include "longhaul/data/fim_config.h"

#include "longhaul/core/config/field_table.h"

namespace longhaul {

template <>
const FieldTable& fields<FimConfig>() {
  using C = FimConfig;
  static const FieldTable table = make_table<C>(
      "Fill-in-the-middle: documents rearranged so that a model of code learns to fill gaps",
      {
          field<&C::rate>("rate", "share of the documents that are rearranged; 0: none")
              .at_least(0)
              .at_most(1)
              .known_as("fim_rate"),
          field<&C::spm_rate>("spm_rate", "share of the rearranged in which the suffix stands before the prefix")
              .at_least(0)
              .at_most(1)
              .known_as("fim_spm_rate"),
          field<&C::split_sample>(
              "split_sample",
              "token that ends a part of a document, such as a file of a repository: parts are then "
              "rearranged one by one; empty: none")
              .known_as("fim_split_sample"),
          field<&C::fragment_rate>(
              "fragment_rate",
              "with split_sample, share of the parts that are rearranged, in the documents that rate chose")
              .at_least(0)
              .at_most(1)
              .known_as("fim_fragment_rate"),
          field<&C::no_prefix>("no_prefix", "documents and parts whose text begins so stay as they are; empty: none")
              .known_as("fim_no_prefix"),
          field<&C::prefix_token>("prefix_token", "token in front of the prefix").known_as("fim_prefix_token"),
          field<&C::middle_token>("middle_token", "token in front of the middle").known_as("fim_middle_token"),
          field<&C::suffix_token>("suffix_token", "token in front of the suffix").known_as("fim_suffix_token"),
          field<&C::evaluation>("evaluation", "rearrange validation and test data, too, not training data alone"),
      });
  return table;
}

}  // namespace longhaul
