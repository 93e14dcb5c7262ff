#include "cli/inspect/model_table.h"

#include <fmt/format.h>

namespace longhaul::cli {
namespace {

std::string attention_text(const ModelConfig& m) {
  const std::string kind = m.kv_heads == m.heads ? "multi-head"
                           : m.kv_heads == 1     ? "multi-query"
                                                 : fmt::format("grouped, {} key/value heads", m.kv_heads);
  return fmt::format("{} heads of {} ({})", m.heads, m.head_dim, kind);
}

std::string position_text(const ModelConfig& m) {
  if (m.position == PositionEmbedding::learned) return fmt::format("{} learned", m.max_positions);
  std::string text = fmt::format("{}, rotary, base {}", m.max_positions, m.rope_theta);
  if (m.rotary_fraction < 1) text += fmt::format(", {} of {} dimensions", m.rotary_dim(), m.head_dim);
  if (m.rope_scaling.kind != RopeScalingKind::none) {
    text += fmt::format(", scaled ({}, factor {})", name_of(m.rope_scaling.kind), m.rope_scaling.factor);
  }
  return text;
}

}  // namespace

void add_model_lines(TextTable& table, const ModelConfig& m) {
  table.add({"family", m.family});
  table.add({"parameters", group_digits(m.parameter_count())});
  table.add({"shape", fmt::format("{} layers, hidden {}, FFN {} ({}{})", m.layers, m.hidden, m.ffn_hidden,
                                  m.gated ? "gated " : "", name_of(m.activation))});
  table.add({"attention", attention_text(m)});
  table.add({"positions", position_text(m)});
  table.add({"vocabulary", fmt::format("{}, output layer {}", group_digits(m.vocab_size),
                                       m.tied_embeddings ? "tied to the embedding" : "of its own")});
}

}  // namespace longhaul::cli
