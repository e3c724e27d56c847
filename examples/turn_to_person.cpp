// Turns a robot towards the nearest person: poses in, cmd_vel out. The same as turn_to_person.py, in C++.
//
//     ros2 run openpose_ros_examples turn_to_person --ros-args -p gain:=1.0 -r cmd_vel:=/base/cmd_vel
//
// The camera looks forwards and upright. Safety comes first: the robot turns on the spot and never drives, never faster
// than max_speed, and it stands still when nobody was seen for the time `timeout`, and when this program ends.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <geometry_msgs/msg/twist.hpp>
#include <openpose_msgs/msg/coco18.hpp>
#include <openpose_msgs/msg/people.hpp>
#include <rcl_interfaces/msg/parameter_descriptor.hpp>
#include <rclcpp/rclcpp.hpp>

namespace turn_to_person
{

using geometry_msgs::msg::Twist;
using openpose_msgs::msg::Coco18;
using openpose_msgs::msg::Keypoint;
using openpose_msgs::msg::People;
using openpose_msgs::msg::Person;

using Keypoints = std::vector<Keypoint>;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds PERIOD{50};  // between two commands
constexpr double PI = 3.14159265358979323846;

/// Whether a joint was found in the image.
inline bool found(const Keypoint & joint)
{
  return joint.state != Keypoint::UNKNOWN && std::isfinite(joint.x + joint.y);
}

/// The joints of the torso that were found; if there are none, all that were.
inline Keypoints known(const Person & person)
{
  Keypoints torso;
  for (const auto joint : {Coco18::NECK, Coco18::RIGHT_SHOULDER, Coco18::LEFT_SHOULDER, Coco18::RIGHT_HIP,
      Coco18::LEFT_HIP})
  {
    if (found(person.keypoints.at(joint))) {torso.push_back(person.keypoints.at(joint));}
  }
  if (!torso.empty()) {return torso;}
  Keypoints all;
  std::copy_if(person.keypoints.begin(), person.keypoints.end(), std::back_inserter(all), found);
  return all;
}

/// Metres to the right and forwards, the mean of the known joints that have a place; nothing if there is none.
inline std::optional<std::pair<double, double>> place(const Person & person)
{
  double right = 0.0;
  double forwards = 0.0;
  int placed = 0;
  for (const auto & joint : known(person)) {
    const auto & at = joint.position;
    if (std::isfinite(at.x + at.y + at.z)) {
      right += at.x;
      forwards += at.z;
      ++placed;
    }
  }
  if (placed == 0) {return std::nullopt;}
  return std::make_pair(right / placed, forwards / placed);
}

/// Pixels from the uppermost joint to the lowest.
inline double height(const Person & person)
{
  double top = std::numeric_limits<double>::infinity();
  double bottom = -top;
  for (const auto & joint : person.keypoints) {
    if (found(joint)) {
      top = std::min<double>(top, joint.y);
      bottom = std::max<double>(bottom, joint.y);
    }
  }
  return bottom - top;
}

/// By distance; those without one come after the others, the largest in the image first. Null if nobody is there.
inline const Person * nearest(const std::vector<Person> & people)
{
  const Person * best = nullptr;
  std::pair<double, double> least;
  for (const auto & person : people) {
    if (known(person).empty()) {continue;}
    const auto where = place(person);
    const auto distance =
      where ? std::hypot(where->first, where->second) : std::numeric_limits<double>::infinity();
    const auto rank = std::make_pair(distance, -height(person));
    if (best == nullptr || rank < least) {
      best = &person;
      least = rank;
    }
  }
  return best;
}

/// Radians by which a person is to the left of the camera's axis. The width of the image is in pixels, the horizontal
/// field of view in radians; it counts only for a person without a place in space.
inline double bearing(const Person & person, double width, double field_of_view)
{
  if (const auto where = place(person)) {return std::atan2(-where->first, where->second);}
  const auto joints = known(person);
  double x = 0.0;
  for (const auto & joint : joints) {x += joint.x / static_cast<double>(joints.size());}
  // Pixel centres are at whole numbers, so that the image spans -0.5 to width - 0.5.
  return std::atan((1.0 - (2.0 * x + 1.0) / width) * std::tan(field_of_view / 2.0));
}

/// Chooses a person, stays with that id, and turns there.
class TurnToPerson : public rclcpp::Node
{
public:
  TurnToPerson()
  : Node("turn_to_person")
  {
    gain_ = setting("gain", 1.0, 10.0, "turn at so many rad/s for each rad that the person is off");
    max_speed_ = setting("max_speed", 0.5, 3.0, "never turn faster, rad/s");
    timeout_ = setting("timeout", 0.5, 5.0, "stand still when nobody was seen for so many seconds");
    field_of_view_ = setting("field_of_view", 60.0, 179.0, "of the camera, horizontal, in degrees") * PI / 180.0;
    commands_ = create_publisher<Twist>("cmd_vel", 1);
    // Only the newest counts, and a lost message is not worth waiting for. Best effort hears every publisher.
    poses_ = create_subscription<People>(
      "poses", rclcpp::QoS(1).best_effort(), [this](const People & message) {look(message);});
    // A wall timer neither jumps nor stops: a simulator that hangs must not keep the robot turning.
    timer_ = create_wall_timer(PERIOD, [this]() {command();});
  }

  /// Stand still, and wait until the robot has heard it.
  void halt()
  {
    commands_->publish(Twist());
    commands_->wait_for_all_acked(std::chrono::seconds(1));
  }

private:
  /// The value of a parameter from 0 to `most`; rclcpp refuses any other.
  double setting(const std::string & name, double preset, double most, const std::string & about)
  {
    rcl_interfaces::msg::ParameterDescriptor descriptor;
    descriptor.description = about;
    descriptor.floating_point_range.resize(1);
    descriptor.floating_point_range[0].from_value = 0.0;
    descriptor.floating_point_range[0].to_value = most;
    return declare_parameter<double>(name, preset, descriptor);
  }

  /// Remember where the person is that the robot turns to.
  void look(const People & message)
  {
    if (message.skeleton != "COCO-18") {
      RCLCPP_ERROR_ONCE(get_logger(), "cannot read people of %s; expected COCO-18", message.skeleton.c_str());
      return;
    }
    const double age = (now() - rclcpp::Time(message.header.stamp)).seconds();
    if (std::abs(age) > timeout_) {
      RCLCPP_WARN_THROTTLE(
        get_logger(), *get_clock(), 5000,
        "left out people seen %.2f s ago; is the computer too slow, or do clocks differ?", age);
      return;
    }
    const Person * chosen = nullptr;
    if (person_ < 0 || !fresh()) {
      chosen = nearest(message.people);
    } else {
      const auto mine = std::find_if(
        message.people.begin(), message.people.end(),
        [this](const Person & person) {return person.id == person_ && !known(person).empty();});
      if (mine != message.people.end()) {chosen = &*mine;}
    }
    if (chosen != nullptr) {
      person_ = chosen->id;
      seen_ = Clock::now();
      error_ = bearing(*chosen, message.image_width, field_of_view_);
    }
  }

  /// Turn, or stand still.
  void command()
  {
    Twist twist;
    if (fresh()) {twist.angular.z = std::clamp(gain_ * error_, -max_speed_, max_speed_);}
    commands_->publish(twist);
  }

  /// Whether the person was seen within the timeout.
  bool fresh() const
  {
    return seen_ && std::chrono::duration<double>(Clock::now() - *seen_).count() <= timeout_;
  }

  double gain_;
  double max_speed_;
  double timeout_;
  double field_of_view_;
  int person_ = -1;
  double error_ = 0.0;
  std::optional<Clock::time_point> seen_;
  rclcpp::Publisher<Twist>::SharedPtr commands_;
  rclcpp::Subscription<People>::SharedPtr poses_;
  rclcpp::TimerBase::SharedPtr timer_;
};

std::atomic<bool> ended{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may set it");

}  // namespace turn_to_person

int main(int argc, char ** argv)
{
  using turn_to_person::ended;
  // rclcpp's own handlers would take the publisher away before the robot is told to stand still.
  rclcpp::init(argc, argv, rclcpp::InitOptions(), rclcpp::SignalHandlerOptions::None);
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int) {ended = true;});
  }
  const auto node = std::make_shared<turn_to_person::TurnToPerson>();
  rclcpp::executors::SingleThreadedExecutor executor;
  executor.add_node(node);
  while (!ended) {
    executor.spin_once(std::chrono::milliseconds(100));
  }
  node->halt();
  rclcpp::shutdown();
  return 0;
}
