# frozen_string_literal: true

class CreateTopicsAndPosts < ActiveRecord::Migration[6.1]
  def change
    create_table :topics do |t|
      t.string :title, null: false
      t.timestamps
    end
    create_table :posts do |t|
      t.references :topic, null: false, foreign_key: true
      t.text :raw, null: false
      t.text :cooked, null: false
      t.timestamps
    end
  end
end
