#include <fmt/format.h>

#include "longhaul/core/config/describe.h"
#include "longhaul/core/config/field_table.h"
#include "longhaul/core/table.h"

namespace longhaul {
namespace {

std::string default_text(const FieldLeaf& leaf) {
  const std::string text = leaf.field->format(leaf.field->get(leaf.defaults));
  return leaf.field->type == FieldType::text ? '"' + text + '"' : text;
}

std::string code(const std::string& text) {
  return text.empty() ? text : "`" + text + "`";
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|') result += '\\';
    result += c;
  }
  return result;
}

void markdown_section(const FieldTable& table, const std::string& prefix, std::string& out) {
  out += fmt::format("\n## {}\n\n{}.\n", prefix.empty() ? "Top level" : prefix.substr(0, prefix.size() - 1), table.doc);
  out += "\n| key | value | default | meaning | Megatron-LM | Hugging Face |\n|---|---|---|---|---|---|\n";
  for (const Field& field : table.rows) {
    if (field.type == FieldType::section) continue;
    out +=
        fmt::format("| `{}{}` | {} | `{}` | {}{} | {} | {} |\n", prefix, field.name, escaped(field.expectation()),
                    default_text({prefix + field.name, &field, table.defaults}), escaped(field.doc),
                    field.unit.empty() ? "" : " (" + field.unit + ")", code(field.megatron), code(field.hugging_face));
  }
  for (const Field& field : table.rows) {
    if (field.type == FieldType::section) markdown_section(field.table(), prefix + field.name + ".", out);
  }
}

}  // namespace

std::string markdown_reference(const FieldTable& table) {
  std::string out;
  markdown_section(table, "", out);
  return out;
}

std::string config_help(const FieldTable& table, const std::string& prefix) {
  TextTable text({"key", "default", "meaning"});
  for (const FieldLeaf& leaf : leaves(table)) {
    if (!leaf.path.starts_with(prefix)) continue;
    text.add({leaf.path, default_text(leaf),
              fmt::format("{}{}; {}", leaf.field->doc, leaf.field->unit.empty() ? "" : " (" + leaf.field->unit + ")",
                          leaf.field->expectation())});
  }
  return text.str();
}

}  // namespace longhaul
