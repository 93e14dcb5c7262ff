// Sentences, found by the Punkt method (Kiss & Strunk 2006, "Unsupervised Multilingual Sentence Boundary
// Detection", Computational Linguistics 32) with the models of NLTK's `punkt_tab`. The sentences are those of
// NLTK's PunktTokenizer, from version 3.10.2 on; earlier versions cut otherwise at curly quotes and
// guillemets.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

class SentenceSplitter {
 public:
  // `model`: a folder of punkt_tab, such as that of find_sentence_model. With `keep_newlines` the spaces and
  // newlines behind a sentence are its own, as with Megatron's --keep-newlines, and a sentence may end inside
  // a word. Throws UserError when the folder holds no model.
  explicit SentenceSplitter(const std::filesystem::path& model, bool keep_newlines = false);
  ~SentenceSplitter();

  // Appends the sentences of `text` (valid UTF-8), as parts of it, none empty. A text of more than a million
  // characters is cut into pieces of a million first, as Megatron does. May be called by several threads at
  // once.
  void split(std::string_view text, std::vector<std::string_view>& sentences) const;

  // Tells splitters with different results apart.
  std::string fingerprint() const;

 private:
  struct Model;
  std::unique_ptr<const Model> model_;
};

// The folder of the model for `language` ("english", "german", …) where NLTK looks for it: NLTK_DATA,
// nltk_data in the home folder, and the system's folders. Throws UserError that says where it looked and how
// to get the models.
std::filesystem::path find_sentence_model(const std::string& language);

}  // namespace longhaul
