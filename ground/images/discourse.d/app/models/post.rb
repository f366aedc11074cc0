# frozen_string_literal: true

# What somebody wrote, in Markdown, and as the browser gets it.
class Post < ApplicationRecord
  belongs_to :topic
  validates :raw, presence: true
  before_save { self.cooked = Post.cook(raw) }

  def self.cook(raw)
    Kramdown::Document.new(raw).to_html
  end

  def self.matching(words)
    where("to_tsvector('english', raw) @@ plainto_tsquery('english', ?)", words)
  end
end
