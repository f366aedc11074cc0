# frozen_string_literal: true

# A title with posts below it.
class Topic < ApplicationRecord
  has_many :posts, -> { order(:id) }, dependent: :delete_all, inverse_of: :topic
  validates :title, presence: true

  # One more look at it; how many there were.
  def viewed!
    Forum.redis.incr("topic:#{id}:views")
  end
end
