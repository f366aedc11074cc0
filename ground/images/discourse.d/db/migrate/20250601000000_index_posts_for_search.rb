# frozen_string_literal: true

class IndexPostsForSearch < ActiveRecord::Migration[6.1]
  def change
    add_index :posts, "to_tsvector('english', raw)", using: :gin, name: "posts_for_search"
  end
end
