#include "data/tokenizer/component_json.h"

#include "data/tokenizer/base64.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

SplitBehavior read_behavior(const JsonNode& node) {
  const std::string& name = node.string();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw UserError(
      "{}: \"{}\" is no behavior of a split; there are Removed, Isolated, MergedWithPrevious, "
      "MergedWithNext and Contiguous.",
      node.where(), name);
}

TemplatePart special_part(const JsonNode& pair) {
  const auto elements = pair.elements();
  pair.require(elements.size() == 2, "a pair of a token and its id");
  return {false, {elements[1].integer()}};
}

std::unique_ptr<PostProcessor> read_template(const JsonNode& node) {
  std::vector<TemplatePart> parts;
  for (const JsonNode& piece : node.at("single").elements()) {
    if (piece.has("Sequence")) {
      const JsonNode id = piece.at("Sequence").at("id");
      id.require(id.string() == "A", "sequence \"A\", the only one in a template for one text");
      parts.push_back({true, {}});
      continue;
    }
    const std::string& name = piece.at("SpecialToken").at("id").string();
    TemplatePart part;
    for (const JsonNode& id : node.at("special_tokens").at(name.c_str()).at("ids").elements()) {
      part.special.push_back(id.integer());
    }
    parts.push_back(std::move(part));
  }
  return make_template(std::move(parts));
}

}  // namespace

const std::string& component_type(const JsonNode& node) {
  node.require(node.value().is_object(), "an object");
  return node.at("type").string();
}

void refuse_component(const JsonNode& node, std::string_view kind, std::string_view known) {
  throw UserError(
      "{}: Longhaul has no {} of type \"{}\" (it has {}). Use a tokenizer without it, for example one that "
      "has been saved again with other components.",
      node.where(), kind, component_type(node), known);
}

std::unique_ptr<Matcher> read_pattern(const JsonNode& node) {
  if (node.has("String")) {
    const JsonNode literal = node.at("String");
    literal.require(!literal.string().empty(), "a string that isn't empty");
    return make_literal_matcher(literal.string());
  }
  const JsonNode regex = node.at("Regex");
  return make_regex_matcher(regex.string(), regex.where());
}

PrependScheme read_prepend_scheme(const JsonNode& node) {
  PrependScheme scheme = PrependScheme::always;
  if (node.has("prepend_scheme")) {
    const JsonNode name = node.at("prepend_scheme");
    if (name.string() == "first") {
      scheme = PrependScheme::first;
    } else if (name.string() == "never") {
      scheme = PrependScheme::never;
    } else {
      name.require(name.string() == "always", "\"first\", \"never\" or \"always\"");
    }
  }
  if (!node.boolean_or("add_prefix_space", true)) {  // how older files say "never"
    node.at("add_prefix_space")
        .require(scheme == PrependScheme::never || !node.has("prepend_scheme"), "true, to agree with prepend_scheme");
    scheme = PrependScheme::never;
  }
  return scheme;
}

std::unique_ptr<Normalizer> read_normalizer(const JsonNode& node) {
  const std::string& type = component_type(node);
  if (type == "NFC") return make_unicode_form(UnicodeForm::nfc);
  if (type == "NFD") return make_unicode_form(UnicodeForm::nfd);
  if (type == "NFKC") return make_unicode_form(UnicodeForm::nfkc);
  if (type == "NFKD") return make_unicode_form(UnicodeForm::nfkd);
  if (type == "Lowercase") return make_lowercase();
  if (type == "StripAccents") return make_strip_accents();
  if (type == "Strip") return make_strip(node.at("strip_left").boolean(), node.at("strip_right").boolean());
  if (type == "Prepend") return make_prepend(node.at("prepend").string());
  if (type == "Replace") return make_replace(read_pattern(node.at("pattern")), node.at("content").string());
  if (type == "Sequence") {
    std::vector<std::unique_ptr<Normalizer>> parts;
    for (const JsonNode& part : node.at("normalizers").elements()) parts.push_back(read_normalizer(part));
    return make_normalizer_sequence(std::move(parts));
  }
  if (type == "BertNormalizer") {
    const bool lowercase = node.at("lowercase").boolean();
    return make_bert_normalizer({.clean_text = node.at("clean_text").boolean(),
                                 .handle_chinese_chars = node.at("handle_chinese_chars").boolean(),
                                 .strip_accents = node.boolean_or("strip_accents", lowercase),
                                 .lowercase = lowercase});
  }
  if (type == "Nmt") return make_nmt();
  if (type == "ByteLevel") return make_byte_letters_normalizer();
  if (type == "Precompiled") {
    const JsonNode map = node.at("precompiled_charsmap");
    const auto bytes = decode_base64(map.string());
    map.require(bytes.has_value(), "base64");
    return make_precompiled(*bytes, map.where());
  }
  refuse_component(node, "normalizer",
                   "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Nmt, Precompiled, "
                   "Prepend, Replace, ByteLevel and Sequence");
}

void read_pre_tokenizer(const JsonNode& node, std::vector<std::unique_ptr<PreTokenizer>>& out) {
  const std::string& type = component_type(node);
  if (type == "ByteLevel") {
    if (node.at("add_prefix_space").boolean()) out.push_back(make_prefix_space());
    if (node.boolean_or("use_regex", true)) {
      out.push_back(make_split(make_gpt2_matcher(), SplitBehavior::isolated, false));
    }
    out.push_back(make_byte_letters());
  } else if (type == "Split") {
    out.push_back(make_split(read_pattern(node.at("pattern")), read_behavior(node.at("behavior")),
                             node.boolean_or("invert", false)));
  } else if (type == "Metaspace") {
    out.push_back(
        make_metaspace(node.at("replacement").string(), read_prepend_scheme(node), node.boolean_or("split", true)));
  } else if (type == "Digits") {
    out.push_back(make_split(
        make_class_matcher(kNumeric),
        node.at("individual_digits").boolean() ? SplitBehavior::isolated : SplitBehavior::contiguous, false));
  } else if (type == "Punctuation") {
    out.push_back(make_split(make_class_matcher(kPunctuation),
                             node.has("behavior") ? read_behavior(node.at("behavior")) : SplitBehavior::isolated,
                             false));
  } else if (type == "Whitespace") {
    out.push_back(make_whitespace());
  } else if (type == "WhitespaceSplit") {
    out.push_back(make_split(make_class_matcher(kSpace), SplitBehavior::removed, false));
  } else if (type == "BertPreTokenizer") {
    out.push_back(make_split(make_class_matcher(kSpace), SplitBehavior::removed, false));
    out.push_back(make_split(make_class_matcher(kPunctuation), SplitBehavior::isolated, false));
  } else if (type == "CharDelimiterSplit") {
    const JsonNode delimiter = node.at("delimiter");
    const std::string& text = delimiter.string();
    delimiter.require(!text.empty() && decode_utf8(text.data()).bytes == text.size(), "one character");
    out.push_back(make_split(make_literal_matcher(text), SplitBehavior::removed, false));
  } else if (type == "FixedLength") {
    const int32_t length = node.has("length") ? node.at("length").integer() : 5;
    if (node.has("length")) node.at("length").require(length > 0, "a length above 0");
    out.push_back(make_fixed_length(static_cast<size_t>(length)));
  } else if (type == "UnicodeScripts") {
    out.push_back(make_unicode_scripts());
  } else if (type == "Sequence") {
    for (const JsonNode& part : node.at("pretokenizers").elements()) read_pre_tokenizer(part, out);
  } else {
    refuse_component(node, "pre-tokenizer",
                     "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, "
                     "Punctuation, Split, UnicodeScripts, Whitespace, WhitespaceSplit and Sequence");
  }
}

void read_post_processor(const JsonNode& node, std::vector<std::unique_ptr<PostProcessor>>& out) {
  const std::string& type = component_type(node);
  const auto trim_offsets = [&] {
    if (node.boolean_or("trim_offsets", true))
      out.push_back(make_trim_offsets(node.boolean_or("add_prefix_space", true)));
  };
  if (type == "TemplateProcessing") {
    out.push_back(read_template(node));
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    if (type == "RobertaProcessing") trim_offsets();
    std::vector<TemplatePart> parts{special_part(node.at("cls")), {true, {}}, special_part(node.at("sep"))};
    out.push_back(make_template(std::move(parts)));
  } else if (type == "ByteLevel") {
    trim_offsets();
  } else if (type == "Sequence") {
    for (const JsonNode& part : node.at("processors").elements()) read_post_processor(part, out);
  } else {
    refuse_component(node, "post-processor",
                     "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence");
  }
}

std::unique_ptr<Decoder> read_decoder(const JsonNode& node) {
  const std::string& type = component_type(node);
  if (type == "ByteLevel") return make_byte_level_decoder();
  if (type == "ByteFallback") return make_byte_fallback_decoder();
  if (type == "Fuse") return make_fuse_decoder();
  if (type == "Replace") return make_replace_decoder(read_pattern(node.at("pattern")), node.at("content").string());
  if (type == "Strip") {
    return make_strip_decoder(node.at("content").string(), static_cast<size_t>(node.at("start").integer()),
                              static_cast<size_t>(node.at("stop").integer()));
  }
  if (type == "Metaspace") {
    return make_metaspace_decoder(node.at("replacement").string(), read_prepend_scheme(node) != PrependScheme::never);
  }
  if (type == "Sequence") {
    std::vector<std::unique_ptr<Decoder>> parts;
    for (const JsonNode& part : node.at("decoders").elements()) parts.push_back(read_decoder(part));
    return make_decoder_sequence(std::move(parts));
  }
  if (type == "WordPiece") return make_word_piece_decoder(node.at("prefix").string(), node.at("cleanup").boolean());
  if (type == "BPEDecoder") return make_suffix_decoder(node.at("suffix").string());
  if (type == "CTC") {
    return make_ctc_decoder(node.at("pad_token").string(), node.at("word_delimiter_token").string(),
                            node.at("cleanup").boolean());
  }
  refuse_component(node, "decoder",
                   "BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, Metaspace, Replace, Strip, WordPiece and "
                   "Sequence");
}

}  // namespace longhaul::tokenizer
